"""Snappy's raw format, as old tables of TensorFlow and leveldb compress their blocks; reading only.

Source: ``format_description.txt`` of Snappy.
"""

from toolkit.cards.protobuf import read_varint
from toolkit.errors import WeightsError

# The densest element is a copy of 64 bytes in three.
_DENSEST = 22
_LITERAL = 0
_LONG_LITERAL = 60


def decompress(data: bytes | memoryview) -> bytes:
    """Returns the bytes that were compressed.

    Raises:
        WeightsError: the data are damaged.
    """
    compressed = bytes(data)
    length, at = read_varint(compressed, 0)
    if length > _DENSEST * len(compressed):
        raise WeightsError(f"{len(compressed)} bytes of Snappy cannot stand for {length}")
    output = bytearray()
    while at < len(compressed):
        tag = compressed[at]
        if tag & 3 == _LITERAL:
            count, at = _literal(compressed, tag >> 2, at + 1)
            output += compressed[at : at + count]
            at += count
        else:
            count, distance, at = _copy(compressed, tag, at)
            _repeat(output, count, distance)
        if at > len(compressed) or len(output) > length:
            break
    if at != len(compressed) or len(output) != length:
        raise WeightsError(f"a Snappy block gives {len(output)} bytes where it announced {length}")
    return bytes(output)


def _literal(compressed: bytes, short: int, at: int) -> tuple[int, int]:
    """Returns how many bytes follow as they are, and where they begin."""
    if short < _LONG_LITERAL:
        return short + 1, at
    size = short - _LONG_LITERAL + 1
    return int.from_bytes(compressed[at : at + size], "little") + 1, at + size


def _copy(compressed: bytes, tag: int, at: int) -> tuple[int, int, int]:
    """Returns how many bytes to take from how far back, and the place behind the element."""
    if tag & 3 == 1:
        low = int.from_bytes(compressed[at + 1 : at + 2], "little")
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | low, at + 2
    size = 2 if tag & 3 == 2 else 4
    distance = int.from_bytes(compressed[at + 1 : at + 1 + size], "little")
    return (tag >> 2) + 1, distance, at + 1 + size


def _repeat(output: bytearray, count: int, distance: int) -> None:
    """Appends `count` bytes from `distance` back; a copy may reach into what it writes."""
    if not 0 < distance <= len(output):
        raise WeightsError(f"a Snappy block copies from {distance} bytes back of {len(output)}")
    begin = len(output) - distance
    piece = output[begin : begin + count]
    output += (piece * -(-count // len(piece)))[:count]
