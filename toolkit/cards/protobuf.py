"""The few fields that are needed of Paddle's protobuf messages, read without a schema.

Source: the wire format of protocol buffers; `framework.proto` of Paddle for the field numbers.
"""

from collections.abc import Iterator

from toolkit.errors import WeightsError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_LOD_TENSOR = 7


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields (field number, value) of a message: a number, or the bytes of anything longer.

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


def read_varint(message: bytes, at: int) -> tuple[int, int]:
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
        for number, variable in read_fields(_message(block)):
            if number == 3:
                fields = dict(read_fields(_message(variable)))
                kind = dict(read_fields(_message(fields.get(2, b"")))).get(1)
                if fields.get(3) and kind == _LOD_TENSOR:
                    names.append(_message(fields.get(1, b"")).decode("utf-8", errors="replace"))
    return names


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WeightsError("a protobuf message has a number where a message should be")
    return value
