"""Writes the lists of a dataset from its native annotations."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataset_tools.native.collected import CollectedRows, Converted
from dataset_tools.native.placing import HowToPlace, leads_out, place
from dataset_tools.native.records import Item, LeftOut, NativeDataset, NativeRow
from dataset_tools.native.taking import CutOutBoxes, Outcome, Taker, WholePictures
from toolkit import storage
from toolkit.data.convert import SourceProblem
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError
from toolkit.progress import Progress
from toolkit.runtime import cores_allowed

RECORD = "conversion.json"
_FORMAT_VERSION = 1
_BATCH = 256


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        variant: one of the dataset's variants.
        crop: cut the boxes out.
        margin: share of a box's size added on each side.
        cameras: write the camera as a third column.
        pictures: how whole pictures become reachable from the output folder.
        keep_going: write the lists although rows are bad or pictures missing.
        force: replace lists that this tool has not written.
    """

    variant: str = ""
    crop: bool = False
    margin: float = 0.0
    cameras: bool = False
    pictures: HowToPlace = "link"
    keep_going: bool = False
    force: bool = False


def convert(dataset: NativeDataset, root: Path, output: Path, options: ConvertOptions) -> Converted:
    """Writes train.txt, gallery.txt, query.txt, label_names.json and conversion.json.

    Labels are numbers: the classes of train first, from 0, in the order of their native names, then
    those that only gallery and query have. A query whose class the gallery lacks is left out.

    Args:
        dataset: which one.
        root: its folder as it was unpacked.
        output: where the lists go, and crops; pictures are linked from there.
        options: how.

    Raises:
        DatasetError: the layout is another one, lists of someone else are in the way, or rows are
            bad or pictures missing and `options.keep_going` is off; then no list is written.
    """
    check_writable(output, RECORD, force=options.force)
    rows = CollectedRows()
    with ExitStack() as stack:
        taker, in_order = _taker(root, output, options, stack)
        progress = stack.enter_context(Progress(f"convert {dataset.name}", None, unit="rows"))
        for outcome in _outcomes(dataset.read(root, options.variant), taker, in_order):
            rows.add(outcome)
            progress.advance()
    if not options.keep_going:
        rows.refuse_faults(root)
    # A run that is stopped between two lists leaves a record that fits no wish.
    storage.write_json(output / RECORD, {"format_version": _FORMAT_VERSION})
    converted = rows.write(output, cameras=options.cameras)
    key = conversion_key(dataset, root, options)
    storage.write_json(output / RECORD, {**key, **asdict(converted)})
    return converted


def conversion_key(dataset: NativeDataset, root: Path, options: ConvertOptions) -> dict[str, Any]:
    """What has to be equal for a finished conversion to be the one that is wanted."""
    return {
        "format_version": _FORMAT_VERSION,
        "dataset": dataset.name,
        "root": str(root.resolve()),
        "variant": options.variant,
        "crop": options.crop,
        "margin": options.margin,
        "cameras": options.cameras,
        "pictures": options.pictures,
    }


def check_writable(output: Path, record: str, *, force: bool) -> None:
    """Refuses a folder whose lists were not written by the tool that leaves `record` there."""
    there = [name for name in SPLITS if output.joinpath(f"{name}.txt").exists()]
    if there and not output.joinpath(record).exists() and not force:
        names = ", ".join(f"{name}.txt" for name in there)
        raise DatasetError(f"{output} has {names} already; --force replaces them.")


_InOrder = Callable[[Taker, list[list[NativeRow]]], Iterable[list[Outcome]]]


def _taker(
    root: Path, output: Path, options: ConvertOptions, stack: ExitStack
) -> tuple[Taker, _InOrder]:
    """Returns what to do with a picture, and how to do it with many at a time, in order."""
    if options.crop:
        taker: Taker = CutOutBoxes(root, output, options.margin)
    else:
        pictures = place(root, output, "source", options.pictures)
        taker = WholePictures(pictures)
        if not pictures.copies:
            return taker, map
    # Decoding, encoding and copying leave the interpreter alone most of the time.
    pool = stack.enter_context(ThreadPoolExecutor(cores_allowed()))
    return taker, pool.map


def _outcomes(items: Iterable[Item], taker: Taker, in_order: _InOrder) -> Iterator[Outcome]:
    for batch in _batches(items):
        groups = [group for group in batch if isinstance(group, list)]
        done = iter(in_order(taker, groups))
        for group in batch:
            if isinstance(group, list):
                yield from next(done)
            else:
                yield group


def _batches(
    items: Iterable[Item],
) -> Iterator[list[list[NativeRow] | LeftOut | SourceProblem]]:
    """Groups the rows of a picture, which follow one another, and makes batches of groups."""
    groups = _groups(items)
    while batch := list(itertools.islice(groups, _BATCH)):
        yield batch


def _groups(items: Iterable[Item]) -> Iterator[list[NativeRow] | LeftOut | SourceProblem]:
    rows: list[NativeRow] = []
    for item in items:
        problem = leads_out(item.path) if isinstance(item, NativeRow) else None
        if isinstance(item, NativeRow) and problem:
            yield SourceProblem(item.file, item.line, problem)
        elif isinstance(item, NativeRow):
            if rows and rows[0].path != item.path:
                yield rows
                rows = []
            rows.append(item)
        else:
            yield item
    if rows:
        yield rows
