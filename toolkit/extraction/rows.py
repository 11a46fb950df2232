"""The rows of a finished job in the order of the input: record beside feature."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatasetError, ExtractionError
from toolkit.extraction.job import WorkFolder
from toolkit.extraction.records import INPUT_CHANGED, Piece, Reader, Record
from toolkit.extraction.shard_file import VARYING, Failed, read_rows


@dataclass(frozen=True)
class Shape:
    """What a writer must know before the first row.

    Attributes:
        rows: how many there will be.
        length: numbers of a feature; 0 when they differ, and when every row failed.
        dtype: their type; float32 when every row failed.
        varying: whether they are of different lengths.
        has_failed: whether any row has no feature.
    """

    rows: int
    length: int
    dtype: np.dtype[Any]
    varying: bool
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


@dataclass(frozen=True)
class Shards:
    """The shards of a job, all of them done.

    Attributes:
        reader: the input.
        folder: where they are.
        pieces: all of them, in order.
    """

    reader: Reader
    folder: WorkFolder
    pieces: Sequence[Piece]

    def shape(self) -> Shape:
        """Looks at the headers of all shards.

        Raises:
            ExtractionError: one is missing, or its features are of another length or type.
        """
        kinds: dict[tuple[int, np.dtype[Any]], int] = {}
        has_failed = False
        for piece in self.pieces:
            facts = self.folder.facts(piece)
            if facts is None:
                raise ExtractionError(
                    f"{self.folder.shard(piece)} is missing or damaged. Run the same command again."
                )
            has_failed |= facts.failures > len("[]")
            if facts.features:
                kinds.setdefault((facts.length, facts.dtype), piece.number)
        if len(kinds) > 1:
            told = ", ".join(
                f"{length} {dtype} in shard {number}" for (length, dtype), number in kinds.items()
            )
            raise ExtractionError(f"The features are not of one length and type: {told}.")
        length, dtype = next(iter(kinds), (VARYING, np.dtype("<f4")))
        rows = sum(piece.count for piece in self.pieces)
        return Shape(rows, length, dtype, bool(kinds) and length == VARYING, has_failed)

    def rows(self) -> Iterator[Row]:
        """Yields every row once, in order; one shard is open at a time.

        Raises:
            DatasetError: the input has changed.
        """
        for piece in self.pieces:
            found = read_rows(self.folder.shard(piece))
            records = self.reader.read(piece)
            for row, digest in found:
                record = next(records, None)
                if record is None:
                    raise DatasetError(INPUT_CHANGED)
                if isinstance(row, Failed):
                    yield Row(record, None, row, digest)
                else:
                    yield Row(record, row, None, digest)
