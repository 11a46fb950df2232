"""The wire format: numbers by hand from protobuf.dev, and whatever is written is read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.protobuf import (
    ProtobufError,
    bytes_field,
    packed_varints,
    read_fields,
    read_varints,
)


def test_the_examples_of_the_specification() -> None:
    """protobuf.dev, "Encoding": 150 is 96 01, -2 as int64, field 2 with "testing"."""
    assert packed_varints([150]) == b"\x96\x01"
    assert packed_varints([-2]) == b"\xfe" + b"\xff" * 8 + b"\x01"
    # Ten bytes hold seventy bits; those above 64 are dropped.
    assert list(read_varints(b"\xff" * 9 + b"\x7f")) == [2**64 - 1]
    assert bytes_field(2, b"testing") == b"\x12\x07testing"
    assert bytes_field(6, packed_varints([3, 270, 86942])).hex() == "3206038e029ea705"


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1)))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert list(read_varints(packed_varints(numbers))) == numbers


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.binary(max_size=300)), max_size=5))
def test_fields_come_back(fields: list[tuple[int, bytes]]) -> None:
    message = b"".join(bytes_field(number, value) for number, value in fields)
    assert list(read_fields(message)) == fields


@pytest.mark.parametrize("broken", [b"\x0b", b"\x12\x05hi", b"\x08", b"\x08" + b"\xff" * 11])
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    with pytest.raises(ProtobufError):
        list(read_fields(broken))
