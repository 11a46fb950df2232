"""Protobuf messages read without a schema, and the few fields that are needed of Paddle's.

Source: the wire format of protocol buffers; `framework.proto` of Paddle for the field numbers.
"""

from collections.abc import Iterator
from typing import TypeVar

from toolkit.errors import WeightsError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_LOD_TENSOR = 7
_Bytes = TypeVar("_Bytes", bytes, memoryview)


def read_fields(message: _Bytes) -> Iterator[tuple[int, int | _Bytes]]:
    """Yields (field number, value) of a message: a number, or the bytes of anything longer.

    Parts of a memoryview are views of the same memory.

    Raises:
        WeightsError: the bytes are no message.
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
            raise WeightsError(f"a protobuf message has a field of the unknown kind {kind}")
        if at + length > len(message):
            raise WeightsError("a protobuf message ends in the middle of a field")
        yield number, message[at : at + length]
        at += length


def read_varint(message: bytes | memoryview, at: int) -> tuple[int, int]:
    """Returns the number at a place, and the place behind it.

    Raises:
        WeightsError: the bytes end, or the number does not.
    """
    value = 0
    for position, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            return value, at + position + 1
    raise WeightsError("a protobuf message ends in the middle of a number")


def program_parameters(program: bytes) -> list[str]:
    """Returns the names of the parameters of an `inference.pdmodel`, in no particular order.

    ProgramDesc.blocks is field 1, BlockDesc.vars field 3; VarDesc has name 1, type 2 (with its own
    type 1: 7 is a tensor, others are the ends of the graph) and persistable 3.

    Raises:
        WeightsError: the bytes are no such message.
    """
    blocks = (value for number, value in read_fields(program) if number == 1)
    names = []
    for block in blocks:
        for number, variable in read_fields(as_message(block)):
            if number == 3:
                fields = dict(read_fields(as_message(variable)))
                kind = dict(read_fields(as_message(fields.get(2, b"")))).get(1)
                if fields.get(3) and kind == _LOD_TENSOR:
                    names.append(as_message(fields.get(1, b"")).decode("utf-8", errors="replace"))
    return names


def as_message(value: int | _Bytes) -> _Bytes:
    """Returns the bytes of a field that is not a number.

    Raises:
        WeightsError: it is a number.
    """
    if isinstance(value, int):
        raise WeightsError("a protobuf message has a number where a message should be")
    return value


def as_number(value: int | bytes | memoryview) -> int:
    """Returns the value of a field that is a number.

    Raises:
        WeightsError: it is a message.
    """
    if isinstance(value, int):
        return value
    raise WeightsError("a protobuf message has a message where a number should be")
