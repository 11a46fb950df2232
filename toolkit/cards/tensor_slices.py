"""TensorFlow's first checkpoint format: one table with a message for all and one a variable.

Source: ``saved_tensor_slice.proto``, ``tensor.proto`` and ``util/tensor_slice_writer.cc`` of
TensorFlow.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from toolkit.cards.protobuf import as_message, as_number, read_fields, read_varint
from toolkit.cards.sorted_table import read_table
from toolkit.cards.tensor_values import Variable, array_of, shape_of
from toolkit.errors import WeightsError

_META, _DATA = 1, 2
_TENSOR_CONTENT = 4
# Fields of a TensorProto: those of fixed size lie in the message as they lie in an array.
_FIXED_FIELDS = {1: 5, 2: 6}
_VARINT_FIELDS = {3: 7, 4: 7, 5: 7, 6: 7, 9: 10, 10: 11, 17: 7, 22: 16, 23: 17}
_WORD = (1 << 64) - 1


def slice_variables(table: memoryview) -> dict[str, Variable]:
    """Returns what the first message says of all variables.

    Raises:
        WeightsError: it is not there, or damaged.
    """
    key, value = next(read_table(table), (None, memoryview(b"")))
    fields = dict(read_fields(value)) if key == b"" else {}
    if _META not in fields:
        raise WeightsError("it is a table, but none of a TensorFlow checkpoint")
    tensors = read_fields(as_message(fields[_META]))
    return dict(_described(as_message(tensor)) for number, tensor in tensors if number == 1)


def slice_arrays(
    table: memoryview, variables: dict[str, Variable], names: Collection[str]
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yields names and arrays in the order in which they are stored, one at a time.

    Raises:
        WeightsError: a message is damaged, does not fit the first one, or is not there.
    """
    left = set(names)
    for key, value in read_table(table):
        fields = dict(read_fields(value))
        if key == b"" or _DATA not in fields:
            continue
        piece = dict(read_fields(as_message(fields[_DATA])))
        name = _text(piece.get(1, memoryview(b"")))
        if name in left:
            left.remove(name)
            tensor = as_message(piece.get(3, memoryview(b"")))
            yield name, array_of(name, variables[name], _raw(name, variables[name], tensor))
    if left:
        raise WeightsError(f"variable {min(left)!r} is announced, and its values are not there")


def _described(tensor: memoryview) -> tuple[str, Variable]:
    """Reads a SavedSliceMeta."""
    fields = list(read_fields(tensor))
    last = dict(fields)
    shape = shape_of(as_message(last.get(2, memoryview(b""))))
    slices = sum(number == 4 for number, _ in fields)
    name = _text(last.get(1, memoryview(b"")))
    return name, Variable(as_number(last.get(3, 0)), shape, max(1, slices))


def _raw(name: str, variable: Variable, tensor: memoryview) -> bytes | memoryview:
    """Returns the values of a TensorProto as they lie in an array."""
    dtype = variable.dtype(name)
    fixed, varint = _FIXED_FIELDS.get(variable.kind), _VARINT_FIELDS.get(variable.kind)
    pieces: list[bytes | memoryview] = []
    for number, value in read_fields(tensor):
        if number in (fixed, _TENSOR_CONTENT):
            pieces.append(as_message(value))
        elif number == varint:
            words = np.array(_varints(value), np.uint64)
            pieces.append(words.astype(np.int64).astype(dtype).tobytes())
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _varints(value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [value & _WORD]
    numbers, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        numbers.append(number & _WORD)
    return numbers


def _text(value: int | memoryview) -> str:
    return bytes(as_message(value)).decode("utf-8", errors="replace")
