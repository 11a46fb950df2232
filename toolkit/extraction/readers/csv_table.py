"""A CSV table: a header, and a picture a row; fields may hold line breaks."""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from toolkit.errors import DatasetError
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.lines import fingerprint_of, read_lines, scan_places
from toolkit.extraction.records import Piece, Record, Scan


@dataclass(frozen=True)
class CsvTable:
    """A table in a text file (RFC 4180), comma-separated; tab-separated if it ends in .tsv.

    Attributes:
        path: the file.
        columns: which mean what.
    """

    path: Path
    columns: Columns

    @property
    def delimiter(self) -> str:
        """What stands between two fields."""
        return "\t" if self.path.suffix.lower() == ".tsv" else ","

    def names(self) -> list[str]:
        """Returns the names of all columns.

        Raises:
            DatasetError: there is no header, or a name stands in it twice.
        """
        _, names = next(self._rows(0), (0, []))
        if not names or len(set(names)) < len(names):
            raise DatasetError(
                f"{self.path}:1: expected a header with a name for each column, found {names}."
            )
        return names

    def kept(self) -> list[str]:
        """Returns the columns that are copied."""
        return self.columns.kept(self.names())

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        self.columns.check(self.names(), str(self.path))
        places = (place for place, _ in islice(self._rows(0), 1, None))
        return replace(scan_places(places, "", shard_size), fingerprint=self.fingerprint())

    def fingerprint(self) -> str:
        """See `Reader`."""
        return fingerprint_of(self.path)

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        names = self.names()
        rows = islice(self._rows(piece.place), piece.count)
        for number, (_, fields) in enumerate(rows, piece.start):
            if len(fields) != len(names):
                said = f"the row has {len(fields)} fields; expected {len(names)}."
                carried = dict.fromkeys(self.kept())
                yield Record(f"row {number + 1}", "broken", said, carried)
                continue
            yield self.columns.record(dict(zip(names, fields, strict=True)), number)

    def _rows(self, start: int) -> Iterator[tuple[int, list[str]]]:
        """Yields place and fields of each row that is not blank."""
        # A picture as base64 is longer than csv's limit, which is one for the whole process.
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        places: list[int] = []
        line = 0

        def lines() -> Iterator[str]:
            nonlocal line
            for place, number, text in read_lines(self.path, start, whole=True):
                line = number
                places.append(place)
                yield text

        try:
            for fields in csv.reader(lines(), delimiter=self.delimiter, strict=True):
                # The first of the lines that the row was made of.
                place, places[:] = places[0], []
                if fields:
                    yield place, fields
        except csv.Error as error:
            raise DatasetError(f"{self.path}:{line}: not CSV ({error}).") from error
