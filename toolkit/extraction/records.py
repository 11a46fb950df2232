"""One row of the input, and where the rows of a shard begin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Kind = Literal["address", "base64", "bytes", "slice", "broken"]

INPUT_CHANGED = (
    "The input is not what it was when the run began: it has changed. Start anew with "
    "Extract.resume=false."
)
"""Said by whoever comes to its end too early, and before the output gets its name."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A picture inside of a larger file."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    Attributes:
        name: path or address as the list gives it; ``row 12`` (from 1) where it gives none.
        kind: what `content` is. ``broken`` is a row that cannot be read: it says why.
        content: address, base64 text, the bytes of an image file, where they are, or the reason.
        carried: columns that are copied to the output, as they were read.
    """

    name: str
    kind: Kind
    content: str | bytes | FileSlice
    carried: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scan:
    """What one look at the whole input tells.

    Attributes:
        fingerprint: another input has another one.
        count: rows.
        places: for each shard, where its first row is; the reader knows what the number means.
    """

    fingerprint: str
    count: int
    places: list[int]


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of a shard.

    Attributes:
        number: of the shard, from 0.
        start: its first row, from 0.
        count: rows.
        place: where the reader finds the first one.
    """

    number: int
    start: int
    count: int
    place: int


class Reader(Protocol):
    """A list of pictures; small, so that it can be sent to other processes."""

    def scan(self, shard_size: int) -> Scan:
        """Looks at the whole input once.

        Raises:
            DatasetError: it is missing, damaged, in another encoding, or lacks a column.
        """

    def fingerprint(self) -> str:
        """Returns the fingerprint of the input as it is now.

        Raises:
            DatasetError: it is missing.
        """

    def read(self, piece: Piece) -> Iterator[Record]:
        """Yields the rows of a shard, of any number of them only some at a time in memory.

        Raises:
            DatasetError: the input is not the one that was scanned.
        """


def pieces_of(scan: Scan, shard_size: int) -> list[Piece]:
    """Returns the shards of an input."""
    return [
        Piece(number, start, min(shard_size, scan.count - start), place)
        for number, (start, place) in enumerate(
            zip(range(0, scan.count, shard_size), scan.places, strict=True)
        )
    ]
