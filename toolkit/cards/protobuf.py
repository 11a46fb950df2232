"""Protobuf messages in weight files, and the few fields that are needed of Paddle's.

Source: `framework.proto` of Paddle for the field numbers.
"""

from collections.abc import Iterator

from toolkit import protobuf
from toolkit.errors import WeightsError
from toolkit.protobuf import Message

_LOD_TENSOR = 7


def read_fields(message: Message) -> Iterator[tuple[int, int | Message]]:
    """Yields the fields of a message of a weight file; see `toolkit.protobuf.read_fields`.

    Raises:
        WeightsError: the bytes are no message.
    """
    try:
        yield from protobuf.read_fields(message)
    except protobuf.ProtobufError as error:
        raise WeightsError(str(error)) from error


def read_varints(packed: bytes) -> list[int]:
    """Returns the numbers of a packed field of a weight file.

    Raises:
        WeightsError: the bytes end in the middle of a number.
    """
    try:
        return list(protobuf.read_varints(packed))
    except protobuf.ProtobufError as error:
        raise WeightsError(str(error)) from error


def read_varint(message: bytes | memoryview, at: int) -> tuple[int, int]:
    """Returns the number at a place of a weight file, and the place behind it.

    Raises:
        WeightsError: the bytes end in the middle of it.
    """
    try:
        return protobuf.read_varint(message, at)
    except protobuf.ProtobufError as error:
        raise WeightsError(str(error)) from error


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


def as_message(value: int | Message) -> Message:
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
