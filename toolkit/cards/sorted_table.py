"""Tables of sorted keys as leveldb stores them, which TensorFlow's checkpoints are.

A table is a row of blocks, an index block of where each stands, and a footer of where the index
stands. In a block a key is stored as what differs from the key before it.

Source: ``doc/table_format.md`` of leveldb; ``tensorflow/core/lib/io/table.h``, the same format.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.cards.protobuf import read_varint
from toolkit.cards.snappy import decompress
from toolkit.crc32c import masked_crc32c
from toolkit.errors import WeightsError

_FOOTER = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
# Behind each block: one byte for the compression, four for the masked checksum of both.
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1


@dataclass(frozen=True)
class _Place:
    """Where a block stands, in bytes from the beginning of the file."""

    offset: int
    size: int


def is_table(data: memoryview) -> bool:
    """Says whether a file ends as a table does."""
    return bytes(data[-len(_MAGIC) :]) == _MAGIC


def read_table(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields keys and values in their order, block by block.

    Args:
        data: the file, mapped into memory; values of blocks that are not compressed lie in it.

    Raises:
        WeightsError: it is no table, or a block is cut off, damaged or of another checksum.
    """
    if len(data) < _FOOTER or not is_table(data):
        raise WeightsError(
            f"it does not end as a table does (its {len(data)} bytes are cut off, or it is another "
            "kind of file)"
        )
    footer = bytes(data[-_FOOTER:])
    _, at = _place(footer, 0)
    index, _ = _place(footer, at)
    for _, value in _entries(_block(data, index), index):
        place, _ = _place(bytes(value), 0)
        yield from _entries(_block(data, place), place)


def _place(data: bytes, at: int) -> tuple[_Place, int]:
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return _Place(offset, size), at


def _block(data: memoryview, place: _Place) -> memoryview:
    """Returns the content of a block, after a look at its checksum."""
    end = place.offset + place.size
    if end + _TRAILER > len(data):
        raise WeightsError(
            f"the block at byte {place.offset} has {place.size} bytes, and the file ends at byte "
            f"{len(data)}"
        )
    content, kind = data[place.offset : end], data[end]
    (stored,) = struct.unpack_from("<I", data, end + 1)
    if masked_crc32c(data[place.offset : end + 1]) != stored:
        raise WeightsError(
            f"the block at byte {place.offset} ({place.size} bytes) has another checksum than "
            "the one stored with it"
        )
    if kind not in (_PLAIN, _SNAPPY):
        raise WeightsError(f"the block at byte {place.offset} has the unknown compression {kind}")
    return content if kind == _PLAIN else memoryview(decompress(content))


def _entries(block: memoryview, place: _Place) -> Iterator[tuple[bytes, memoryview]]:
    """Yields the entries of a block; the restart points behind them serve only for searching."""
    where = f"the block at byte {place.offset}"
    if len(block) < 4:
        raise WeightsError(f"{where} is too short")
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise WeightsError(f"{where} announces {restarts} restart points, more than it can hold")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        size, at = read_varint(block, at)
        if shared > len(key) or at + own + size > end:
            raise WeightsError(f"{where} has an entry that does not fit into it")
        key = key[:shared] + bytes(block[at : at + own])
        yield key, block[at + own : at + own + size]
        at += own + size
