"""The rows of a finished job in the order of the input: record beside feature."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ExtractionError
from toolkit.extraction.job import WorkFolder
from toolkit.extraction.records import Piece, Reader, Record
from toolkit.extraction.shard_file import Failed, read_rows


@dataclass(frozen=True)
class Shape:
    """What a writer must know before the first row.

    Attributes:
        rows: how many there will be.
        length: numbers of a feature; 0 when every row failed.
        dtype: their type; float32 when every row failed.
        has_failed: whether any row has no feature.
    """

    rows: int
    length: int
    dtype: np.dtype[Any]
    has_failed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the output.

    Attributes:
        record: as the input gives it.
        feature: [d], or None.
        failed: why there is none, or None.
        digest: SHA-256 of the picture's bytes; zeros where they were not had.
    """

    record: Record
    feature: NDArray[Any] | None
    failed: Failed | None
    digest: bytes


def shape_of(folder: WorkFolder, pieces: Sequence[Piece]) -> Shape:
    """Looks at the headers of all shards.

    Raises:
        ExtractionError: a shard is missing, or its features are of another length or type.
    """
    kinds: dict[tuple[int, np.dtype[Any]], Piece] = {}
    has_failed = False
    for piece in pieces:
        facts = folder.facts(piece)
        if facts is None:
            raise ExtractionError(
                f"{folder.shard(piece)} is missing or damaged. Run the same command again."
            )
        has_failed |= facts.failures > len("[]")
        if facts.length:
            kinds.setdefault((facts.length, facts.dtype), piece)
    if len(kinds) > 1:
        told = ", ".join(
            f"{length} {dtype} in shard {at.number}" for (length, dtype), at in kinds.items()
        )
        raise ExtractionError(f"The features are not of one length and type: {told}.")
    length, dtype = next(iter(kinds), (0, np.dtype("<f4")))
    return Shape(sum(piece.count for piece in pieces), length, dtype, has_failed)


def rows_of(reader: Reader, folder: WorkFolder, pieces: Sequence[Piece]) -> Iterator[Row]:
    """Yields every row once, in order; one shard is open at a time."""
    for piece in pieces:
        found = read_rows(folder.shard(piece))
        for record, (row, digest) in zip(reader.read(piece), found, strict=True):
            if isinstance(row, Failed):
                yield Row(record, None, row, digest)
            else:
                yield Row(record, row, None, digest)
