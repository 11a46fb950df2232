"""The features of consecutive rows in one file, which is whole or not there.

    header    magic, format version, job, type and length of a feature, rows, bytes of features and
              of failures
    features  their numbers, one behind the other; nothing for a row that failed
    ends      where each row's feature ends, in numbers
    digests   SHA-256 of each picture's bytes; zeros where they were not had
    failures  JSON: [[row in the shard, cause, reason], ...]
    digest    SHA-256 of all of the above

Rows are written as they come and read as they are wanted: features of a deep layer have 100,352
numbers, and a thousand of them are not held in memory.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError
from toolkit.storage import atomic_path

_FORMAT = 2
_MAGIC = b"IRTSHD\r\n"  # the line end shows a file that was copied as text
_FACTS = struct.Struct("<8sI16s4sQQQQ")
_BLOCK = 1 << 20
_END_BYTES = 8
VARYING = 0
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Failed:
    """A row without a feature.

    Attributes:
        cause: few words, for counting.
        reason: what happened, for a person.
    """

    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What the header of a shard says.

    Attributes:
        job: fingerprint of the job that it belongs to.
        dtype: little-endian numpy type of a feature's numbers.
        length: numbers of a feature; VARYING when they differ, and when every row failed.
        rows: of the shard.
        features: bytes of all features.
        failures: bytes of the JSON.
    """

    job: str
    dtype: np.dtype[Any]
    length: int
    rows: int
    features: int
    failures: int

    @property
    def ends_at(self) -> int:
        """Byte at which the ends begin."""
        return _FACTS.size + self.features

    @property
    def digests_at(self) -> int:
        """Byte at which the digests begin."""
        return self.ends_at + self.rows * _END_BYTES

    @property
    def failures_at(self) -> int:
        """Byte at which the failures begin."""
        return self.digests_at + self.rows * DIGEST_BYTES


class ShardWriter:
    """Appends rows to a file that `writing_shard` has opened."""

    def __init__(self, file: BinaryIO, precision: str, job: str, *, varying: bool) -> None:
        self._file, self._precision, self._job = file, np.dtype(precision), job
        self._dtype, self._length, self._varying = self._precision, VARYING, varying
        self._ends: list[int] = []
        self._digests = bytearray()
        self._failed: list[tuple[int, str, str]] = []
        self._file.write(b"\0" * _FACTS.size)

    def add(self, row: NDArray[Any] | Failed, digest: bytes = b"") -> None:
        """Appends the feature of a row, [d], or why it has none.

        Raises:
            ModelError: it has another type than the others, or another length, which is not to be.
        """
        if not isinstance(row, Failed):
            row = self._converted(row)
        end = self._ends[-1] if self._ends else 0
        if isinstance(row, Failed):
            self._failed.append((len(self._ends), row.cause, row.reason))
        else:
            self._file.write(row.tobytes())
            end += len(row)
        self._ends.append(end)
        self._digests += digest.ljust(DIGEST_BYTES, b"\0")

    def finish(self) -> list[tuple[int, str, str]]:
        """Writes what follows the features, and the header; returns the failures."""
        # A reason may hold a file name that is not UTF-8; JSON's own escapes carry it.
        failures = json.dumps(self._failed).encode("ascii")
        kind = self._dtype.newbyteorder("<").str.encode()
        features = self._file.tell() - _FACTS.size
        self._file.write(np.array(self._ends, "<u8").tobytes())
        self._file.write(bytes(self._digests) + failures)
        self._file.seek(0)
        facts = (_MAGIC, _FORMAT, self._job.encode(), kind, self._length)
        self._file.write(_FACTS.pack(*facts, len(self._ends), features, len(failures)))
        self._file.flush()
        return self._failed

    def _converted(self, row: NDArray[Any]) -> NDArray[Any] | Failed:
        flat = np.atleast_1d(np.asarray(row)).ravel()
        if flat.dtype.kind == "f":
            with np.errstate(over="ignore"):
                flat = flat.astype(self._precision)
            if not np.isfinite(flat).all():
                return Failed("prediction", f"a value does not fit into {self._precision.name}.")
        if len(self._failed) == len(self._ends):  # the first that did not fail
            self._length, self._dtype = VARYING if self._varying else len(flat), flat.dtype
        if flat.dtype != self._dtype or not (self._varying or len(flat) == self._length):
            raise ModelError(
                f"A feature of {len(flat)} {flat.dtype} came after one of {self._length} "
                f"{self._dtype}; expected features of one length and type."
            )
        return flat


@contextmanager
def writing_shard(
    path: Path, precision: str, job: str = "", *, varying: bool = False
) -> Iterator[ShardWriter]:
    """Yields a writer; the file gets its name, and its digest, when `finish` was called.

    Args:
        path: the file.
        precision: type that features of floats are stored in; integers stay as they are.
        job: fingerprint of what it is a part of, up to 16 characters.
        varying: features may be of different lengths.
    """
    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        yield ShardWriter(file, precision, job, varying=varying)
        digest = _digest(file, file.seek(0, 2))
        file.write(digest)


def read_facts(path: Path) -> ShardFacts | None:
    """Returns what a whole shard says of itself; None when it is not there, cut off or damaged."""
    try:
        with path.open("rb") as file:
            facts = _facts(file)
            digest = _digest(file, facts.failures_at + facts.failures)
            if file.read() == digest:
                return facts
    except (OSError, ValueError, struct.error):
        pass
    return None


def read_rows(path: Path) -> Iterator[tuple[NDArray[Any] | Failed, bytes]]:
    """Yields feature or failure, and digest, of each row of a shard that is whole."""
    shard = MappedShard(path)
    for row in range(shard.facts.rows):
        yield shard.failed.get(row, shard.feature(row)), shard.digests[row].tobytes()


class MappedShard:
    """A whole shard file whose rows are read from the disk when they are asked for.

    Attributes:
        facts: its header.
        failed: row -> why it has no feature.
        digests: uint8 [rows, 32].
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.facts = facts = _facts(file)
            file.seek(facts.failures_at)
            failures = json.loads(file.read(facts.failures))
        self.failed = {row: Failed(*rest) for row, *rest in failures}
        self._mapped = np.memmap(path, dtype=np.uint8, mode="r")
        self._ends = self._mapped[facts.ends_at : facts.digests_at].view("<u8")
        self.digests = self._mapped[facts.digests_at : facts.failures_at].reshape(
            facts.rows, DIGEST_BYTES
        )

    def feature(self, row: int) -> NDArray[Any]:
        """Returns a copy of the feature of a row, [d]; of one that failed, nothing."""
        size = self.facts.dtype.itemsize
        start, end = (int(self._ends[place]) if place >= 0 else 0 for place in (row - 1, row))
        part = self._mapped[_FACTS.size + start * size : _FACTS.size + end * size]
        return np.array(part).view(self.facts.dtype)


def _facts(file: BinaryIO) -> ShardFacts:
    magic, version, job, kind, *numbers = _FACTS.unpack(file.read(_FACTS.size))
    if magic != _MAGIC or version != _FORMAT:
        raise ValueError("it is of another format")
    try:
        dtype = np.dtype(_text(kind))
    except TypeError as error:
        raise ValueError("it is damaged") from error
    return ShardFacts(_text(job), dtype, *numbers)


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("ascii")


def _digest(file: BinaryIO, size: int) -> bytes:
    """Returns the SHA-256 of the first bytes of a file, and leaves it behind them."""
    file.seek(0)
    found = hashlib.sha256()
    while size:
        block = file.read(min(size, _BLOCK))
        if not block:
            raise ValueError("it is cut off")
        found.update(block)
        size -= len(block)
    return found.digest()
