"""Arrays by the content they were made from, many in one file that is whole or not used at all.

    header   magic, format version, kind of numbers, number of records, place of the index, size of
             the file, and the SHA-256 of everything else
    records  the numbers of each array, row by row, every record at a multiple of 64 bytes
    index    key, place and shape of each record

Files are written under another name and renamed; two runs that write the same one do no harm, the
later stays. Nothing in them depends on paths, so a renamed picture is found and a changed one is
not taken for what it was.
"""

import hashlib
import logging
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from toolkit.storage import atomic_path

_LOG = logging.getLogger(__name__)

KEY_BYTES = 17
"""16 bytes of the SHA-256 of a file's content, and one for what else a record depends on."""

_FORMAT = 1
_MAGIC = b"IRTREC\r\n"  # the line end shows a file that was copied as text
_FACTS = struct.Struct("<8sI4sQQQ")
_DIGEST_BYTES = 32
_ALIGNMENT = 64
_HEADER_BYTES = 128
_BLOCK = 1 << 20
# A temporary file this old was left by a run that was killed; a living one is younger.
_ABANDONED_SECONDS = 24 * 3600.0
_INDEX = np.dtype([("key", f"S{KEY_BYTES}"), ("place", "<u8"), ("shape", "<u4", (3,))])


def content_key(data: bytes, variant: int = 0) -> bytes:
    """Returns the key of what is made from a file's bytes.

    Args:
        data: the bytes.
        variant: tells several records of one content apart, 0 to 254.
    """
    # Numpy takes zero bytes at the end of a key for padding; this one never ends in zero.
    return hashlib.sha256(data).digest()[: KEY_BYTES - 1] + bytes([variant + 1])


class RecordFile:
    """The arrays of a file, read from the disk when they are asked for.

    Args:
        path: a file that `open_records` has found to be whole.
        dtype: the kind of numbers in it.
        index: what `_INDEX` describes.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], index: NDArray[Any]) -> None:
        self.path = path
        self._dtype = dtype
        self._bytes = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
        self._places = index["place"]
        self._shapes = index["shape"]
        self._row_of = {key: row for row, key in enumerate(index["key"].tolist())}

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, key: bytes) -> bool:
        return key in self._row_of

    def items(self) -> Iterator[tuple[bytes, NDArray[Any]]]:
        """Yields key and array of every record, in the order in which they were written."""
        return ((key, self._array(row)) for key, row in self._row_of.items())

    def get(self, key: bytes) -> NDArray[Any] | None:
        """Returns a record, read-only and not copied into memory; None when there is none."""
        row = self._row_of.get(key)
        return None if row is None else self._array(row)

    def _array(self, row: int) -> NDArray[Any]:
        shape = [int(side) for side in self._shapes[row] if side]
        place = int(self._places[row])
        size = int(np.prod(shape)) * self._dtype.itemsize
        return self._bytes[place : place + size].view(self._dtype).reshape(shape)


def open_records(path: Path, dtype: Any) -> RecordFile | None:
    """Opens a file of records, reading it once from end to end to see that it is whole.

    Args:
        path: the file.
        dtype: the kind of numbers that are expected.

    Returns:
        The records; None when there is no such file, or it is cut off, damaged or of another
        format, which is logged.
    """
    try:
        with path.open("rb") as file:
            index = _read_index(file, np.dtype(dtype))
        return RecordFile(path, np.dtype(dtype), index)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _LOG.warning("%s cannot be used (%s); it is made again.", path, error)
        return None


def record_bytes(array: NDArray[Any]) -> int:
    """Returns by how much a record of this array makes a file grow."""
    return -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT + _INDEX.itemsize


class RecordWriter:
    """Appends records to a file that `writing_records` has opened."""

    def __init__(self, file: BinaryIO, dtype: np.dtype[Any]) -> None:
        self._file, self._dtype = file, dtype
        self._digest = hashlib.sha256()
        self._place = 0
        self._rows: dict[bytes, tuple[bytes, int, tuple[int, ...]]] = {}
        self._write(b"\0" * _HEADER_BYTES, hashed=False)

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    @property
    def size(self) -> int:
        """Bytes of the file if it ended here."""
        return self._place + len(self._rows) * _INDEX.itemsize

    def add(self, key: bytes, array: NDArray[Any]) -> None:
        """Appends an array of one to three axes, none of them empty; a key that is there stays."""
        if key in self._rows:
            return
        if not 1 <= array.ndim <= 3 or not array.size:
            raise ValueError(f"a record has one to three axes and is not empty; got {array.shape}.")
        shape = (*array.shape, *(0,) * (3 - array.ndim))
        self._rows[key] = (key, self._place, shape)
        data = array.astype(self._dtype, copy=False).tobytes()
        self._write(data + b"\0" * (_padded(len(data)) - len(data)))

    def finish(self) -> None:
        """Writes the index, and then the header that makes the file valid."""
        place = self._place
        self._write(np.array(list(self._rows.values()), dtype=_INDEX).tobytes())
        kind = self._dtype.str.encode()
        facts = _FACTS.pack(_MAGIC, _FORMAT, kind, len(self._rows), place, self._place)
        self._digest.update(facts)
        self._file.seek(0)
        self._file.write(facts + self._digest.digest())

    def _write(self, data: bytes, *, hashed: bool = True) -> None:
        self._file.write(data)
        self._place += len(data)
        if hashed:
            self._digest.update(data)


@contextmanager
def writing_records(path: Path, dtype: Any) -> Iterator[RecordWriter]:
    """Yields a writer; the file takes the place of an older one when the block ends well."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        writer = RecordWriter(file, np.dtype(dtype))
        yield writer
        writer.finish()


def make_room(own: Path, limit: int) -> None:
    """Deletes files of the same kind that were not used for longest, until these keep to a limit.

    Args:
        own: a file of the folder that stays and does not count; its suffix says which kind.
        limit: bytes of all others together.
    """
    living = time.time() - _ABANDONED_SECONDS
    for left in own.parent.glob(f".*.tmp{own.suffix}"):
        if left.stat().st_mtime < living:
            left.unlink(missing_ok=True)
    others = [file for file in own.parent.glob(f"[!.]*{own.suffix}") if file != own]
    others.sort(key=lambda file: file.stat().st_mtime)
    total = sum(file.stat().st_size for file in others)
    for file in others:
        if total <= limit:
            return
        total -= file.stat().st_size
        # On Windows a file that another run reads cannot be deleted; elsewhere that run keeps it.
        with suppress(PermissionError):
            file.unlink()
            _LOG.info("%s is deleted: Data.cache_mib counts all files of its kind.", file)


def _read_index(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Reads and verifies a whole file.

    Raises:
        ValueError: it is not what was written.
    """
    start = file.read(_HEADER_BYTES)
    if len(start) < _HEADER_BYTES:
        raise ValueError("it ends inside its header")
    facts, digest = start[: _FACTS.size], start[_FACTS.size : _FACTS.size + _DIGEST_BYTES]
    magic, version, kind, count, place, size = _FACTS.unpack(facts)
    if magic != _MAGIC or version != _FORMAT or kind.rstrip(b"\0") != dtype.str.encode():
        raise ValueError("it is of another format")
    found = hashlib.sha256()
    while block := file.read(_BLOCK):
        found.update(block)
    found.update(facts)
    if file.tell() != size or found.digest() != digest:
        raise ValueError("it is cut off or damaged")
    file.seek(place)
    return np.frombuffer(file.read(count * _INDEX.itemsize), dtype=_INDEX)


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
