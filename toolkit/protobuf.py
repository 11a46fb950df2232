"""The wire format of protocol buffers, read and written without a schema.

Source: protobuf.dev, "Encoding".
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_SIXTY_FOUR_BITS = (1 << 64) - 1
Message = TypeVar("Message", bytes, memoryview)


class ProtobufError(ValueError):
    """The bytes are no protobuf message; whoever asked for them knows what they were to be."""


def read_fields(message: Message) -> Iterator[tuple[int, int | Message]]:
    """Yields (field number, value) of a message: a number, or the bytes of anything longer.

    Parts of a memoryview are views of the same memory.

    Raises:
        ProtobufError: the bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = read_varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = read_varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ProtobufError(f"a protobuf message has a field of the unknown kind {kind}")
        if at + length > len(message):
            raise ProtobufError("a protobuf message ends in the middle of a field")
        yield number, message[at : at + length]
        at += length


def read_varints(packed: bytes) -> Iterator[int]:
    """Yields the numbers, 0 to 2^64 - 1, of a packed repeated field.

    Raises:
        ProtobufError: the bytes end in the middle of a number.
    """
    at = 0
    while at < len(packed):
        value, at = read_varint(packed, at)
        yield value


def bytes_field(number: int, value: bytes) -> bytes:
    """Returns a field that holds bytes, a text, a message or packed numbers."""
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def packed_varints(values: Iterable[int]) -> bytes:
    """Returns the bytes of packed int64 numbers; a negative one takes ten bytes."""
    return b"".join(_varint(value & _SIXTY_FOUR_BITS) for value in values)


def read_varint(message: bytes | memoryview, at: int) -> tuple[int, int]:
    """Returns the number at a place, and the place behind it.

    Raises:
        ProtobufError: the bytes end in the middle of it.
    """
    value = 0
    for position, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            return value & _SIXTY_FOUR_BITS, at + position + 1
    raise ProtobufError("a protobuf message ends in the middle of a number")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
