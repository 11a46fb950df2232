"""The few fields that are needed of Paddle's protobuf messages.

Source: `framework.proto` of Paddle for the field numbers.
"""

from collections.abc import Iterator

from toolkit import protobuf
from toolkit.errors import WeightsError

_LOD_TENSOR = 7


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
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
