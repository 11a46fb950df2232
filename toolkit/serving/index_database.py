"""An index of mode build_index as a database of the service: labels are its groups."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from toolkit.errors import ImageError, VectorIndexError
from toolkit.index.interface import Entry, VectorIndex
from toolkit.serving.database_folder import create_database
from toolkit.serving.kept_picture import name_for
from toolkit.serving.picture_records import PictureRecord, checked_data, checked_group
from toolkit.serving.problems import Problem
from toolkit.storage import write_bytes

_AT_ONCE = 1024
_FEATURE, _LABEL = "feature", "label"
_METRICS = ("cosine", "inner_product", "l2")


def write_database(
    index: VectorIndex,
    folder: Path,
    picture: Callable[[str], bytes | None],
    advance: Callable[[int], None],
) -> None:
    """Writes a database with all records of an index, in their order, as a whole or not at all.

    A record's group is its label, or its id where it has none; its number counts within the group;
    everything else that was kept beside the vector becomes its data.

    Args:
        index: of pictures.
        folder: of the database; not there.
        picture: bytes of a record's picture, by its id; None where there is none to be kept.
        advance: told how many more are written.

    Raises:
        VectorIndexError: the folder is there, or a record or the metric is none of the service's.
        StorageError: the disk is full.
    """
    facts = index.facts
    if folder.exists():
        raise VectorIndexError(
            f"Index.export_database {folder} is there already. Give another folder, or remove it "
            "while no service works in it."
        )
    if facts.metric not in _METRICS:
        raise VectorIndexError(
            f"The index has the metric {facts.metric}; a service has {', '.join(_METRICS)}."
        )

    def fill(target: VectorIndex, images: Path) -> None:
        numbers, entries = Counter[str](), iter(index.entries())
        while some := list(islice(entries, _AT_ONCE)):
            records = list(_records(some, numbers, images, picture))
            target.add(
                [record.key for record in records],
                np.stack([entry.vector for entry in some]),
                [record.kept() for record in records],
            )
            advance(len(some))

    create_database(
        folder,
        dimension=facts.dimension,
        metric=facts.metric,
        kind=facts.kind,
        feature=_FEATURE,
        fingerprint=facts.fingerprint,
        fill=fill,
    )


def _records(
    entries: Sequence[Entry],
    numbers: Counter[str],
    images: Path,
    picture: Callable[[str], bytes | None],
) -> Iterator[PictureRecord]:
    for entry in entries:
        data = {"id": entry.id, **entry.record}
        try:
            group = checked_group(data.pop(_LABEL, entry.id))
            kept = checked_data(data)
        except Problem as problem:
            raise VectorIndexError(f"The record {entry.id!r:.200}: {problem.message}") from problem
        savename = _kept(images, picture(entry.id))
        yield PictureRecord(group, numbers[group], savename, kept)
        numbers[group] += 1


def _kept(images: Path, picture: bytes | None) -> str | None:
    """Writes a picture, and returns its name; None for what is no picture (any more)."""
    if picture is None:
        return None
    try:
        name = name_for(picture)
    except ImageError:
        return None
    if not (images / name).is_file():
        write_bytes(images / name, picture)
    return name
