"""TFRecord files and the index beside each: written whole, read in order or at any place.

A record is its length (uint64), the masked CRC-32C of these eight bytes, the data, and the masked
CRC-32C of the data; all numbers little-endian. Source: tensorflow.org/tutorials/load_data/tfrecord,
"TFRecords format details".

The index `<file>.idx` is that of DALI's tfrecord2idx: a line "offset size" for each record, both in
bytes, the size that of the whole record with its 16 bytes of length and checksums.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from toolkit.crc32c import masked_crc32c
from toolkit.errors import RecordError
from toolkit.storage import atomic_path

AddRecord = Callable[[bytes], None]
"""Appends a record."""

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER_BYTES = _LENGTH.size + _CRC.size
_OVERHEAD_BYTES = _HEADER_BYTES + _CRC.size


def index_path(path: Path) -> Path:
    """Returns where the index of a TFRecord file is."""
    return path.with_name(f"{path.name}.idx")


@contextmanager
def writing_tfrecord(path: Path) -> Iterator[AddRecord]:
    """Yields a function that appends a record; file and index are there when the block ends well.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    # The index gets its name first: a file with its name has its index.
    with (
        atomic_path(path) as records,
        records.open("wb") as file,
        atomic_path(index_path(path)) as lines,
        lines.open("w", encoding="ascii", newline="\n") as index,
    ):

        def add(data: bytes) -> None:
            length = _LENGTH.pack(len(data))
            offset = file.tell()
            file.write(length + _CRC.pack(masked_crc32c(length)))
            file.write(data)
            file.write(_CRC.pack(masked_crc32c(data)))
            index.write(f"{offset} {len(data) + _OVERHEAD_BYTES}\n")

        yield add


def read_records(
    path: Path, *, verify: bool = True, rank: int = 0, count: int = 1
) -> Iterator[bytes]:
    """Yields the data of the records of a file in order; needs no index.

    Args:
        path: the TFRecord file.
        verify: compare the checksum of the data, too; that of the length always is.
        rank: which of `count` readers this is; it gets records rank, rank + count, ... The data of
            the others are stepped over.
        count: how many readers there are.

    Raises:
        RecordError: the file is missing, cut off or damaged; the message has the byte offset.
        ValueError: `rank` is not below `count`.
    """
    check_reader(rank, count)
    with _opened(path) as file:
        size = _size(file)
        number = offset = 0
        while offset < size:
            if number % count == rank:
                data = _read_record(file, path, offset, size, verify=verify)
                yield data
                offset += len(data) + _OVERHEAD_BYTES
            else:
                offset += _read_length(file, path, offset, size) + _OVERHEAD_BYTES
            number += 1


class TFRecordFile:
    """The records of a file at any place, through its index.

    It holds no open file, so it may be copied to other threads and processes.

    Args:
        path: the TFRecord file.
        verify: compare the checksum of the data, too.

    Raises:
        RecordError: the file or its index is missing, or the index is not that of the file.
    """

    def __init__(self, path: Path, *, verify: bool = True) -> None:
        self.path = path
        self._verify = verify
        with _opened(path) as file:
            self._size = _size(file)
        self._offsets = _read_index(path, self._size)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, number: int) -> bytes:
        """Returns the data of a record; a negative number counts from the end.

        Raises:
            IndexError: there is no such record.
            RecordError: the record is damaged, or the index does not fit.
        """
        if not -len(self) <= number < len(self):
            raise IndexError(f"{self.path} has {len(self)} records, asked for {number}.")
        number %= len(self)
        offset, end = (int(place) for place in self._offsets[number : number + 2])
        with _opened(self.path) as file:
            data = _read_record(file, self.path, offset, _size(file), verify=self._verify)
        if offset + len(data) + _OVERHEAD_BYTES != end:
            raise _misfit(self.path, f"line {number + 1} ends at byte {end:,}, its record does not")
        return data


def check_reader(rank: int, count: int) -> None:
    """Refuses a reader that is none of `count`.

    Raises:
        ValueError: `rank` is not below `count`, or either is negative.
    """
    if not 0 <= rank < count:
        raise ValueError(f"rank must be 0 to count - 1, got rank {rank} of {count}.")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise RecordError(f"{path}: the TFRecord file cannot be read ({error.strerror}).") from None


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _read_length(file: BinaryIO, path: Path, offset: int, size: int) -> int:
    """Reads how long the data of the record at an offset are, and checks that they are all there.

    The length is checked against its CRC and the file before anything is read by it.
    """
    file.seek(offset)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise _cut_off(path, offset, size)
    if _CRC.unpack_from(header, _LENGTH.size)[0] != masked_crc32c(header[: _LENGTH.size]):
        raise RecordError(
            f"{path}: the length of the record at byte {offset:,} does not fit its CRC-32C. The "
            "file is damaged, compressed or no TFRecord; pack it again."
        )
    length = int(_LENGTH.unpack_from(header)[0])
    if offset + length + _OVERHEAD_BYTES > size:
        raise _cut_off(path, offset, size)
    return length


def _read_record(file: BinaryIO, path: Path, offset: int, size: int, *, verify: bool) -> bytes:
    length = _read_length(file, path, offset, size)
    data, crc = file.read(length), file.read(_CRC.size)
    if len(data) + len(crc) < length + _CRC.size:  # the file has shrunk meanwhile
        raise _cut_off(path, offset, size)
    if verify and _CRC.unpack(crc)[0] != masked_crc32c(data):
        raise RecordError(
            f"{path}: the data of the record at byte {offset:,} ({length:,} bytes) do not fit "
            "their CRC-32C. The file is damaged; copy or pack it again."
        )
    return data


def _read_index(path: Path, size: int) -> NDArray[np.int64]:
    """Returns where each record begins, and the end of the file.

    Raises:
        RecordError: the index is missing, malformed, or leaves any byte of the file out.
    """
    file = index_path(path)
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        raise RecordError(
            f"{file} is missing; random access needs it. Make it with DALI's tfrecord2idx or "
            "write_index, or pack again; read_records reads without it."
        ) from None
    except OSError as error:
        raise RecordError(f"{file} cannot be read ({error.strerror}).") from error
    offsets = [0]
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if len(fields) != 2 or not all(field.isdigit() for field in fields):
            raise _misfit(path, f"line {number} is {line!r}, expected: offset size")
        offset, length = int(fields[0]), int(fields[1])
        if offset != offsets[-1]:
            raise _misfit(
                path,
                f"line {number} begins at byte {offset:,}, expected byte {offsets[-1]:,}",
            )
        offsets.append(offset + length)
    if offsets[-1] != size:
        raise _misfit(path, f"its records end at byte {offsets[-1]:,}, the file at {size:,}")
    return np.array(offsets, np.int64)


def write_index(path: Path) -> None:
    """Writes the index of a TFRecord file that has none, whoever wrote the file.

    Raises:
        RecordError: the file is missing, cut off or damaged.
    """
    with (
        _opened(path) as file,
        atomic_path(index_path(path)) as temporary,
        temporary.open("w", encoding="ascii", newline="\n") as index,
    ):
        size = _size(file)
        offset = 0
        while offset < size:
            record = _read_length(file, path, offset, size) + _OVERHEAD_BYTES
            index.write(f"{offset} {record}\n")
            offset += record


def _cut_off(path: Path, offset: int, size: int) -> RecordError:
    return RecordError(
        f"{path}: the record at byte {offset:,} is cut off; the file ends at byte {size:,}. Copy "
        "or pack it again."
    )


def _misfit(path: Path, reason: str) -> RecordError:
    return RecordError(
        f"{index_path(path)} is not the index of {path.name}: {reason}. Remove it and make it "
        "again (DALI's tfrecord2idx, or write_index)."
    )
