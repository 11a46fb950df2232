"""Merges the lists of several datasets into one dataset, row by row."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataset_tools.native.collected import Faults
from dataset_tools.native.conversion import RECORD as CONVERSION_RECORD
from dataset_tools.native.conversion import check_writable
from dataset_tools.native.numbering import number_labels
from dataset_tools.native.placing import HowToPlace, Placement, leads_out, place
from dataset_tools.native.reading import json_object
from dataset_tools.native.repeated_files import FileRegister, SharedFiles
from toolkit import storage
from toolkit.data.convert import LABEL_NAMES, SourceProblem
from toolkit.data.manifest import (
    CAMERA_COLUMNS,
    DEFAULT_COLUMNS,
    RowProblem,
    Sample,
    stream_manifest,
    write_manifest,
)
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError
from toolkit.progress import Progress

RECORD = "merge.json"
_FORMAT_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Advancing a bar for each of millions of rows would take longer than the rows.
_PROGRESS_STEP = 1000


@dataclass(frozen=True)
class Part:
    """A dataset to merge.

    Attributes:
        name: stands before its paths and class names.
        folder: has its lists; their paths start from it.
    """

    name: str
    folder: Path


@dataclass(frozen=True)
class MergeOptions:
    """How to merge.

    Attributes:
        lists: which lists; a dataset that lacks one adds nothing to it.
        pictures: how pictures become reachable from the output folder.
        force: replace lists that this tool has not written.
    """

    lists: tuple[str, ...] = SPLITS
    pictures: HowToPlace = "link"
    force: bool = False


@dataclass(frozen=True)
class PartCount:
    """What a dataset gave to a list.

    Attributes:
        rows: rows.
        classes: classes.
        first_label: its smallest label in the merged list; the offset where its labels are 0, 1...
    """

    rows: int
    classes: int
    first_label: int


@dataclass(frozen=True)
class Merged:
    """What a merge wrote.

    Attributes:
        counts: list name -> dataset name -> its share.
        classes: list name -> classes of the whole list.
        shared: files that two datasets name; a count and the first of them.
    """

    counts: dict[str, dict[str, PartCount]]
    classes: dict[str, int]
    shared: Faults


def merge(parts: Sequence[Part], output: Path, options: MergeOptions) -> Merged:
    """Writes the merged lists, label_names.json and merge.json; the same parts give the same bytes.

    The lists are read twice, row by row; what stays in memory are the labels and 10 bytes a row.

    Args:
        parts: the datasets, in order.
        output: the folder of the merged dataset.
        options: how.

    Raises:
        DatasetError: a name or folder cannot be used, rows are malformed or lead out of their
            folder (all are counted and the first named), or lists of someone else are in the way.
    """
    _check_parts(parts, output, options.lists)
    check_writable(output, RECORD, force=options.force)
    survey = _survey(parts, options.lists)
    numbers = number_labels(survey.labels)
    shared = _name_shared(parts, options.lists, survey.register.shared())
    # So that a run which is stopped between two lists can be done again; it fits no whole one.
    storage.write_json(output / RECORD, {"format_version": _FORMAT_VERSION})
    places = [place(part.folder, output, part.name, options.pictures) for part in parts]
    for name in SPLITS:
        file = output / f"{name}.txt"
        if name in options.lists and any(name in labels for labels in survey.labels):
            write_manifest(file, _merged_rows(name, parts, places, numbers))
        else:
            file.unlink(missing_ok=True)
    storage.write_json(output / LABEL_NAMES, _label_names(parts, numbers))
    counts = _counts(parts, options.lists, survey, numbers)
    merged = Merged(counts, _classes(survey), shared)
    folders = {part.name: str(part.folder.resolve()) for part in parts}
    record = {"format_version": _FORMAT_VERSION, "datasets": folders, **asdict(merged)}
    storage.write_json(output / RECORD, record)
    return merged


@dataclass(frozen=True)
class _Survey:
    """What the first reading found: labels and rows, for each part by list; and all files."""

    labels: list[dict[str, set[str]]]
    rows: list[Counter[str]]
    register: FileRegister


def _check_parts(parts: Sequence[Part], output: Path, lists: Sequence[str]) -> None:
    if not parts:
        raise DatasetError("There is no dataset to merge; expected NAME=DIR at least once.")
    seen: set[str] = set()
    for part in parts:
        if not _NAME.fullmatch(part.name):
            raise DatasetError(
                f"{part.name!r} cannot be a dataset's name here; expected letters, digits, '.', "
                "'_' and '-'."
            )
        if part.name.lower() in seen:
            raise DatasetError(f"Two datasets are named {part.name}; their classes would collide.")
        seen.add(part.name.lower())
        if part.folder.resolve() == output.resolve():
            raise DatasetError(f"{part.name} is in {output}, whose lists would be replaced.")
        if not _lists_of(part, lists):
            wanted = ", ".join(f"{name}.txt" for name in lists)
            raise DatasetError(f"{part.folder} ({part.name}) has none of {wanted}.")


def _lists_of(part: Part, lists: Sequence[str]) -> list[str]:
    return [name for name in lists if part.folder.joinpath(f"{name}.txt").is_file()]


def _rows(part: Part, name: str) -> Iterator[Sample | RowProblem]:
    record = part.folder / CONVERSION_RECORD
    cameras = record.is_file() and bool(_read_json(record).get("cameras"))
    columns = CAMERA_COLUMNS if cameras else DEFAULT_COLUMNS
    return stream_manifest(part.folder / f"{name}.txt", columns)


def _survey(parts: Sequence[Part], lists: Sequence[str]) -> _Survey:
    labels: list[dict[str, set[str]]] = []
    rows: list[Counter[str]] = []
    register, faults = FileRegister(), Faults()
    with Progress("read lists", None, unit="rows") as progress:
        for owner, part in enumerate(parts):
            labels.append({name: set() for name in _lists_of(part, lists)})
            rows.append(Counter())
            for name, known in labels[-1].items():
                for row in _rows(part, name):
                    problem = _problem(row)
                    if problem or isinstance(row, RowProblem):
                        faults.add(f"{part.folder / name}.txt:{row.line}: {problem}")
                        continue
                    known.add(row.label)
                    register.add(part.folder, row.path, owner)
                    rows[-1][name] += 1
                    if not rows[-1][name] % _PROGRESS_STEP:
                        progress.advance(_PROGRESS_STEP)
    if faults.count:
        raise DatasetError("\n".join(["No list was written.", *faults.told("Bad rows")]))
    return _Survey(labels, rows, register)


def _problem(row: Sample | RowProblem) -> str | None:
    """Says why a row cannot be merged, or None."""
    if isinstance(row, RowProblem):
        return f"{row.message}: {row.text!r}"
    return leads_out(row.path)


def _name_shared(parts: Sequence[Part], lists: Sequence[str], shared: SharedFiles) -> Faults:
    """Reads once more to name the files, when there are any."""
    faults = Faults()
    if not len(shared):
        return faults
    for part in parts:
        for name in _lists_of(part, lists):
            for row in _rows(part, name):
                if isinstance(row, Sample) and shared.has(part.folder, row.path):
                    faults.add(f"{part.folder / name}.txt:{row.line}: {row.path}")
    return faults


def _merged_rows(
    name: str, parts: Sequence[Part], places: Sequence[Placement], numbers: list[dict[str, int]]
) -> Iterator[Sample]:
    line = 0
    with Progress(f"write {name}.txt", None, unit="rows") as progress:
        for part, pictures, number_of in zip(parts, places, numbers, strict=True):
            if not _lists_of(part, [name]):
                continue
            for row in _rows(part, name):
                if isinstance(row, Sample):
                    line += 1
                    pictures.copy(row.path)
                    yield Sample(pictures.path(row.path), str(number_of[row.label]), line)
                    if not line % _PROGRESS_STEP:
                        progress.advance(_PROGRESS_STEP)


def _label_names(parts: Sequence[Part], numbers: list[dict[str, int]]) -> dict[str, str]:
    names: dict[int, str] = {}
    for part, number_of in zip(parts, numbers, strict=True):
        file = part.folder / LABEL_NAMES
        own = _read_json(file) if file.is_file() else {}
        for label, number in number_of.items():
            names[number] = f"{part.name}/{own.get(label, label)}"
    return {str(number): names[number] for number in sorted(names)}


def _counts(
    parts: Sequence[Part], lists: Sequence[str], survey: _Survey, numbers: list[dict[str, int]]
) -> dict[str, dict[str, PartCount]]:
    counts: dict[str, dict[str, PartCount]] = {name: {} for name in lists}
    for part, labels, rows, number_of in zip(
        parts, survey.labels, survey.rows, numbers, strict=True
    ):
        for name, known in labels.items():
            first = min((number_of[label] for label in known), default=0)
            counts[name][part.name] = PartCount(rows[name], len(known), first)
    return {name: shares for name, shares in counts.items() if shares}


def _classes(survey: _Survey) -> dict[str, int]:
    total: Counter[str] = Counter()
    for labels in survey.labels:
        total.update({name: len(known) for name, known in labels.items()})
    return dict(total)


def _read_json(file: Path) -> Mapping[str, Any]:
    data = json_object(file)
    if isinstance(data, SourceProblem):
        raise DatasetError(f"{data}.")
    return data
