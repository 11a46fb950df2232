"""PAI's annotation CSV: ``id, raw data as JSON, answer as JSON``; the picture is the data's url.

Both spellings are read, with the JSON quoted as CSV wants it and without. Lines that begin with #
are comments. Source: Alibaba Cloud, PAI iTAG data format (document 164247).
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.lines import fingerprint_of, read_lines, scan_places
from toolkit.extraction.records import Piece, Record, Scan

_COMMENT = "#"


@dataclass(frozen=True)
class Annotations:
    """A list of annotated pictures; ``id`` and ``answer`` are carried along.

    Attributes:
        path: the file.
    """

    path: Path

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        scan = scan_places((place for place, _ in self._rows(0)), "", shard_size)
        return replace(scan, fingerprint=self.fingerprint())

    def fingerprint(self) -> str:
        """See `Reader`."""
        return fingerprint_of(self.path)

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        rows = islice(self._rows(piece.place), piece.count)
        for number, (_, text) in enumerate(rows, piece.start):
            fields = split_annotation(text)
            if fields is None:
                said = "the line is no annotation: expected id, JSON, JSON."
                yield Record(text, "broken", said)
                continue
            row_id, data, answer = fields
            yield replace(Columns().record(data, number), carried={"id": row_id, "answer": answer})

    def _rows(self, place: int) -> Iterator[tuple[int, str]]:
        for at, _, text in read_lines(self.path, place):
            if not text.startswith(_COMMENT):
                yield at, text


def split_annotation(text: str) -> tuple[str, dict[str, Any], str] | None:
    """Splits a line into id, raw data and answer; None when it is no annotation."""
    row_id, _, rest = text.partition(",")
    try:
        if rest.lstrip().startswith("{"):
            data, end = json.JSONDecoder().raw_decode(rest.lstrip())
            answer = rest.lstrip()[end:].lstrip(" ,")
        else:
            fields = next(csv.reader([text], skipinitialspace=True))
            data, answer = json.loads(fields[1]), ",".join(fields[2:3])
    except (ValueError, IndexError, csv.Error, RecursionError, StopIteration):
        return None
    return (row_id.strip(), data, answer) if isinstance(data, dict) else None


def looks_annotated(path: Path) -> bool:
    """Tells whether the first row of a file is an annotation."""
    first = next((text for _, text in Annotations(path)._rows(0)), "")  # noqa: SLF001
    return split_annotation(first) is not None
