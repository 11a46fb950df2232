"""A list with a picture a line: a path or address, or a JSON object that says more.

Source: EasyVision's ``input_oss_file``; its custom mode takes a JSON object a line.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.lines import fingerprint_of, read_lines, scan_places
from toolkit.extraction.records import Piece, Record, Scan


@dataclass(frozen=True)
class TextList:
    """A text list, or JSON lines.

    Attributes:
        path: the file.
        columns: which keys of a JSON object mean what.
    """

    path: Path
    columns: Columns = field(default_factory=Columns)

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        places = (place for place, _, _ in read_lines(self.path))
        scan = scan_places(places, "", shard_size)
        return replace(scan, fingerprint=self.fingerprint())

    def fingerprint(self) -> str:
        """See `Reader`."""
        return fingerprint_of(self.path)

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        lines = read_lines(self.path, piece.place)
        for row, (_, _, text) in zip(
            range(piece.start, piece.start + piece.count), lines, strict=False
        ):
            yield self._record(text, row)

    def _record(self, text: str, row: int) -> Record:
        if not text.lstrip().startswith("{"):
            return Record(text, "address", text)
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            return Record(text, "broken", f"the line is no JSON object ({error}).")
        return self.columns.record(found, row)
