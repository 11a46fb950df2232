"""The features of consecutive rows in one file, which is whole or not there.

    header    magic, format version, job, type and length of a feature, rows, bytes of the failures
    features  rows x length numbers; zeros for a row that failed
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

_FORMAT = 1
_MAGIC = b"IRTSHD\r\n"  # the line end shows a file that was copied as text
_FACTS = struct.Struct("<8sI16s4sQQQ")
_BLOCK = 1 << 20
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
        length: numbers of a feature; 0 when every row failed.
        rows: of the shard.
        failures: bytes of the JSON.
    """

    job: str
    dtype: np.dtype[Any]
    length: int
    rows: int
    failures: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a feature."""
        return self.length * self.dtype.itemsize


class ShardWriter:
    """Appends rows to a file that `writing_shard` has opened."""

    def __init__(self, file: BinaryIO, precision: str, job: str) -> None:
        self._file, self._precision, self._job = file, np.dtype(precision), job
        self._dtype, self._length = self._precision, 0
        self._rows = 0
        self._digests = bytearray()
        self._failed: list[tuple[int, str, str]] = []
        self._file.write(b"\0" * _FACTS.size)

    def add(self, row: NDArray[Any] | Failed, digest: bytes = b"") -> None:
        """Appends the feature of a row, [d], or why it has none.

        Raises:
            ModelError: it has another length or type than the others.
        """
        if not isinstance(row, Failed):
            row = self._converted(row)
        if isinstance(row, Failed):
            self._failed.append((self._rows, row.cause, row.reason))
            self._file.write(b"\0" * (self._length * self._dtype.itemsize))
        else:
            self._file.write(row.tobytes())
        self._digests += digest.ljust(DIGEST_BYTES, b"\0")
        self._rows += 1

    def finish(self) -> list[tuple[int, str, str]]:
        """Writes what follows the features, and the header; returns the failures."""
        # A reason may hold a file name that is not UTF-8; JSON's own escapes carry it.
        failures = json.dumps(self._failed).encode("ascii")
        kind = self._dtype.newbyteorder("<").str.encode()
        self._file.write(bytes(self._digests) + failures)
        self._file.seek(0)
        facts = (_MAGIC, _FORMAT, self._job.encode(), kind, self._length, self._rows, len(failures))
        self._file.write(_FACTS.pack(*facts))
        self._file.flush()
        return self._failed

    def _converted(self, row: NDArray[Any]) -> NDArray[Any] | Failed:
        flat = np.atleast_1d(np.asarray(row)).ravel()
        if flat.dtype.kind == "f":
            with np.errstate(over="ignore"):
                flat = flat.astype(self._precision)
            if not np.isfinite(flat).all():
                return Failed("prediction", f"a value does not fit into {self._precision.name}.")
        if not self._length:
            self._length, self._dtype = len(flat), flat.dtype
            self._file.write(b"\0" * (self._rows * flat.nbytes))  # those that failed before
        if len(flat) != self._length or flat.dtype != self._dtype:
            raise ModelError(
                f"A feature of {len(flat)} {flat.dtype} came after one of {self._length} "
                f"{self._dtype}; expected features of one length and type."
            )
        return flat


@contextmanager
def writing_shard(path: Path, precision: str, job: str = "") -> Iterator[ShardWriter]:
    """Yields a writer; the file gets its name, and its digest, when `finish` was called.

    Args:
        path: the file.
        precision: type that features of floats are stored in; integers stay as they are.
        job: fingerprint of what it is a part of, up to 16 characters.
    """
    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        yield ShardWriter(file, precision, job)
        digest = _digest(file, file.seek(0, 2))
        file.write(digest)


def read_facts(path: Path) -> ShardFacts | None:
    """Returns what a whole shard says of itself; None when it is not there, cut off or damaged."""
    try:
        with path.open("rb") as file:
            facts = _facts(file)
            size = _FACTS.size + facts.rows * (facts.row_bytes + DIGEST_BYTES) + facts.failures
            digest = _digest(file, size)
            if file.read() == digest:
                return facts
    except (OSError, ValueError, struct.error):
        pass
    return None


def read_rows(path: Path) -> Iterator[tuple[NDArray[Any] | Failed, bytes]]:
    """Yields feature or failure, and digest, of each row of a shard that is whole."""
    with path.open("rb") as file, path.open("rb") as tail:
        facts = _facts(file)
        tail.seek(_FACTS.size + facts.rows * (facts.row_bytes + DIGEST_BYTES))
        failed = {row: Failed(*rest) for row, *rest in json.loads(tail.read(facts.failures))}
        tail.seek(_FACTS.size + facts.rows * facts.row_bytes)
        for row in range(facts.rows):
            feature = np.frombuffer(file.read(facts.row_bytes), dtype=facts.dtype)
            yield failed.get(row, feature), tail.read(DIGEST_BYTES)


class MappedShard:
    """A whole shard file whose rows are read from the disk when they are asked for."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.facts = facts = _facts(file)
            features = facts.rows * facts.row_bytes
            file.seek(_FACTS.size + features + facts.rows * DIGEST_BYTES)
            self.failed = {row for row, *_ in json.loads(file.read(facts.failures))}
        mapped = np.memmap(path, dtype=np.uint8, mode="r", offset=_FACTS.size)
        self._features = mapped[:features]
        self.digests = mapped[features : features + facts.rows * DIGEST_BYTES].reshape(
            facts.rows, DIGEST_BYTES
        )

    def feature(self, row: int) -> NDArray[Any]:
        """Returns a copy of the feature of a row, [d]."""
        size = self.facts.row_bytes
        return self._features[row * size : (row + 1) * size].copy().view(self.facts.dtype)


def _facts(file: BinaryIO) -> ShardFacts:
    magic, version, job, kind, length, rows, failures = _FACTS.unpack(file.read(_FACTS.size))
    if magic != _MAGIC or version != _FORMAT:
        raise ValueError("it is of another format")
    try:
        dtype = np.dtype(_text(kind))
    except TypeError as error:
        raise ValueError("it is damaged") from error
    return ShardFacts(_text(job), dtype, length, rows, failures)


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
