"""tf.train.Example: named lists of bytes, numbers or whole numbers as one protobuf message.

Source: tensorflow/core/example/{example,feature}.proto. Example.features is field 1,
Features.feature a map in field 1 (key 1, value 2), Feature one of bytes_list 1, float_list 2 and
int64_list 3, and in each of these the values are field 1, those of the numbers packed or not.
"""

import struct
from collections.abc import Mapping

from toolkit.errors import RecordError
from toolkit.protobuf import (
    ProtobufError,
    bytes_field,
    packed_varints,
    read_fields,
    read_varints,
)

Values = list[bytes] | list[float] | list[int]
"""The values of one feature: float32 for float_list, -2^63 to 2^63 - 1 for int64_list."""

_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3
_INT64_SIGN = 1 << 63


def encode_example(features: Mapping[str, Values]) -> bytes:
    """Returns the message of some features.

    Features stand in the order of their names, so equal features give equal bytes; those that
    TensorFlow gives with `SerializeToString(deterministic=True)`.

    Args:
        features: name -> values, all of one kind; a feature without values has no kind either.

    Raises:
        TypeError: a value is neither bytes nor a number.
    """
    entries = [
        bytes_field(1, bytes_field(1, name.encode()) + bytes_field(2, _encode_feature(values)))
        for name, values in sorted(features.items())
    ]
    return bytes_field(1, b"".join(entries))


def decode_example(message: bytes) -> dict[str, Values]:
    """Returns the features of a message, whoever wrote it.

    Raises:
        RecordError: the bytes are no such message.
    """
    features: dict[str, Values] = {}
    try:
        for _, container in _messages(message, 1):
            for _, entry in _messages(container, 1):
                parts = dict(_messages(entry, 1, 2))
                features[parts.get(1, b"").decode()] = _decode_feature(parts.get(2, b""))
    except (ProtobufError, UnicodeDecodeError) as error:
        raise RecordError(f"the record is no tf.train.Example ({error}).") from error
    return features


def _encode_feature(values: Values) -> bytes:
    if not values:
        return b""
    if all(isinstance(value, bytes) for value in values):
        content = b"".join(bytes_field(1, value) for value in values if isinstance(value, bytes))
        return bytes_field(_BYTES_LIST, content)
    if all(isinstance(value, int) for value in values):
        numbers = packed_varints(value for value in values if isinstance(value, int))
        return bytes_field(_INT64_LIST, bytes_field(1, numbers))
    if all(isinstance(value, (int, float)) for value in values):
        return bytes_field(_FLOAT_LIST, bytes_field(1, struct.pack(f"<{len(values)}f", *values)))
    raise TypeError(f"A feature holds only bytes or only numbers, got {values[:3]!r}.")


def _decode_feature(feature: bytes) -> Values:
    values: Values = []
    for kind, content in _messages(feature, _BYTES_LIST, _FLOAT_LIST, _INT64_LIST):
        if kind == _BYTES_LIST:
            values = [value for _, value in _messages(content, 1)]
        elif kind == _FLOAT_LIST:
            values = _floats(b"".join(value for _, value in _messages(content, 1)))
        else:
            values = _integers(content)
    return values


def _floats(packed: bytes) -> list[float]:
    if len(packed) % 4:
        raise ProtobufError(f"{len(packed)} bytes of float32 values")
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def _integers(content: bytes) -> list[int]:
    unsigned: list[int] = []
    for number, value in read_fields(content):
        if number == 1:
            unsigned += [value] if isinstance(value, int) else read_varints(value)
    return [value - 2 * (value & _INT64_SIGN) for value in unsigned]


def _messages(message: bytes, *wanted: int) -> list[tuple[int, bytes]]:
    """Returns the wanted fields of a message; they hold bytes."""
    found = []
    for number, value in read_fields(message):
        if number not in wanted:
            continue
        if isinstance(value, int):
            raise ProtobufError(f"field {number} is a number")
        found.append((number, value))
    return found
