"""A Parquet table, some rows at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import DatasetError, import_optional
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.lines import changed_at
from toolkit.extraction.records import Piece, Record, Scan

_ROWS = 64


@dataclass(frozen=True)
class ParquetTable:
    """A table in a Parquet file.

    Attributes:
        path: the file.
        columns: which mean what.
    """

    path: Path
    columns: Columns

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        fingerprint = self.fingerprint()
        with self.open() as file:
            self.columns.check(file.schema_arrow.names, str(self.path))
            count = file.metadata.num_rows
        return Scan(fingerprint, count, list(range(0, count, shard_size)))

    def fingerprint(self) -> str:
        """See `Reader`."""
        return changed_at(self.path)

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        with self.open() as file:
            names = file.schema_arrow.names
            image = self.columns.image_of(names)
            wanted = list(dict.fromkeys([*self.columns.kept(names), *([image] if image else [])]))
            groups, skipped = _groups(file.metadata, piece)
            number, end = skipped, piece.start + piece.count
            batches = file.iter_batches(batch_size=_ROWS, row_groups=groups, columns=wanted)
            try:
                for batch in batches:
                    if number + batch.num_rows > piece.start:
                        yield from self._records(batch.to_pylist(), number, piece.start, end)
                    number += batch.num_rows
                    if number >= end:
                        return
            except (OSError, ValueError) as error:
                raise self._damaged(error) from error

    def kept(self) -> list[str]:
        """Returns the columns that are copied."""
        with self.open() as file:
            return self.columns.kept(file.schema_arrow.names)

    def open(self) -> Any:
        """Opens the file.

        Raises:
            DatasetError: it is damaged.
            ExtraError: pyarrow is not installed.
        """
        parquet = import_optional("pyarrow.parquet", purpose="Reading Parquet")
        try:
            return parquet.ParquetFile(self.path)
        except (OSError, ValueError) as error:  # pyarrow's own are ValueErrors
            raise self._damaged(error) from error

    def _records(
        self, rows: Sequence[dict[str, Any]], first: int, start: int, end: int
    ) -> Iterator[Record]:
        for number, row in enumerate(rows, first):
            if start <= number < end:
                yield self.columns.record(row, number)

    def _damaged(self, error: Exception) -> DatasetError:
        said = " ".join(str(error).split())
        return DatasetError(f"{self.path}: the Parquet file cannot be read ({said}).")


def _groups(metadata: Any, piece: Piece) -> tuple[list[int], int]:
    """Returns the row groups that a piece lies in, and the number of the first one's first row."""
    groups, first, skipped = list[int](), 0, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if first + rows <= piece.start:
            skipped = first + rows
        elif first < piece.start + piece.count:
            groups.append(group)
        first += rows
    return groups, skipped
