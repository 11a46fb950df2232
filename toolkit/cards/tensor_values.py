"""What both of TensorFlow's checkpoint formats say of a variable: its type, shape and values.

Source: ``types.proto`` and ``tensor_shape.proto`` of TensorFlow for numbers of types and fields.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.cards.protobuf import as_message, as_number, read_fields
from toolkit.errors import WeightsError

_TYPES: Mapping[int, str] = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    5: "<i2",
    6: "i1",
    9: "<i8",
    10: "?",
    17: "<u2",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}
# What TensorFlow calls some of those that are not read, for the message.
_OTHER_NAMES = {7: "string", 8: "complex64", 14: "bfloat16", 20: "resource", 21: "variant"}
_LARGEST_SIDE = 1 << 40


@dataclass(frozen=True)
class Variable:
    """What a checkpoint says of a variable, before its values are read.

    Attributes:
        kind: number of its type in TensorFlow.
        shape: of its array.
        slices: pieces that it is stored in.
    """

    kind: int
    shape: tuple[int, ...]
    slices: int = 1

    def dtype(self, name: str) -> np.dtype[Any]:
        """Returns the type of its array.

        Raises:
            WeightsError: it holds no plain numbers, or is stored in pieces.
        """
        if self.kind not in _TYPES:
            kind = _OTHER_NAMES.get(self.kind, f"number {self.kind}")
            known = ", ".join(str(np.dtype(known)) for known in _TYPES.values())
            raise WeightsError(f"variable {name!r} is of type {kind}; known are {known}")
        if self.slices > 1:
            raise WeightsError(
                f"variable {name!r} is stored in {self.slices} pieces; save it without a "
                "partitioner"
            )
        return np.dtype(_TYPES[self.kind])


def shape_of(message: memoryview) -> tuple[int, ...]:
    """Reads a TensorShapeProto.

    Raises:
        WeightsError: it is damaged, or a side is open.
    """
    sides = []
    for number, value in read_fields(message):
        if number == 2:
            fields = dict(read_fields(as_message(value)))
            sides.append(as_number(fields.get(1, 0)))
    if any(side > _LARGEST_SIDE for side in sides):
        raise WeightsError(f"a variable has the shape {sides}")
    return tuple(sides)


def array_of(name: str, variable: Variable, raw: bytes | memoryview) -> np.ndarray[Any, Any]:
    """Returns the values as an array with memory of its own.

    Args:
        name: of the variable, for messages.
        variable: its type and shape.
        raw: little-endian values, row by row.

    Raises:
        WeightsError: the number of bytes does not fit.
    """
    dtype = variable.dtype(name)
    if math.prod(variable.shape) * dtype.itemsize != len(raw):
        raise WeightsError(
            f"variable {name!r} of shape {list(variable.shape)} and {dtype} has {len(raw)} bytes"
        )
    try:
        shaped = np.frombuffer(raw, dtype).reshape(variable.shape)
    except ValueError as error:  # numpy has less room for empty shapes than the format
        raise WeightsError(f"variable {name!r} has the shape {list(variable.shape)}") from error
    return shaped.astype(dtype.newbyteorder("="), copy=True)
