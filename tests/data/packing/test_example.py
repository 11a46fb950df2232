"""tf.train.Example: the bytes that TensorFlow writes, read and written again."""

import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.packing.example import decode_example, encode_example
from toolkit.data.packing.picture import PackedPicture
from toolkit.data.packing.picture_example import example_of_picture, picture_of_example
from toolkit.data.packing.tfrecord import read_records
from toolkit.errors import RecordError
from toolkit.protobuf import bytes_field

GOLDEN = Path(__file__).parent / "golden"

FLOATS = st.floats(width=32, allow_nan=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FEATURES = st.dictionaries(
    st.text(max_size=8),
    st.lists(st.binary(max_size=50)) | st.lists(FLOATS) | st.lists(INTEGERS),
    max_size=6,
)


def golden() -> list[tuple[bytes, dict[str, list]]]:
    described = json.loads((GOLDEN / "tensorflow.json").read_text(encoding="utf-8"))
    records = read_records(GOLDEN / "tensorflow.tfrecord")
    return [(message, _values(entry)) for message, entry in zip(records, described, strict=True)]


def _values(entry: dict[str, list]) -> dict[str, list]:
    """JSON has no bytes: they stand there in hex digits."""
    return {
        name: [bytes.fromhex(value) if isinstance(value, str) else value for value in values]
        for name, values in entry.items()
    }


def test_what_tensorflow_wrote_is_read() -> None:
    for message, values in golden():
        assert decode_example(message) == values


def test_the_same_bytes_as_tensorflow() -> None:
    for message, values in golden():
        assert encode_example(values) == message


@settings(deadline=None)
@given(FEATURES)
def test_features_come_back(features: dict[str, list]) -> None:
    assert decode_example(encode_example(features)) == features


def test_numbers_that_are_not_packed_are_read() -> None:
    """Writers may put each number in a field of its own; by hand from feature.proto."""
    floats = b"".join(b"\x0d" + struct.pack("<f", value) for value in (0.5, -2.0))
    integers = b"\x08\x05\x08" + b"\xff" * 9 + b"\x01"
    entries = [
        bytes_field(1, b"f") + bytes_field(2, bytes_field(2, floats)),
        bytes_field(1, b"i") + bytes_field(2, bytes_field(3, integers)),
    ]
    message = bytes_field(1, b"".join(bytes_field(1, entry) for entry in entries))
    assert decode_example(message) == {"f": [0.5, -2.0], "i": [5, -1]}


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_example_or_a_clear_error(message: bytes) -> None:
    with suppress(RecordError):
        decode_example(message)


def test_mixed_values_are_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="only bytes or only numbers"):
        encode_example({"x": [b"a", 1]})  # type: ignore[dict-item, list-item]


PICTURE = PackedPicture("00000012", b"\xff\xd8\xff\xd9", "png", "苹果/a b.png", 7, "红", 4, 3)


def test_a_picture_comes_back() -> None:
    assert picture_of_example(example_of_picture(PICTURE)) == PICTURE
    surrogate = PackedPicture("00000001", b"x", name="caf\udce9.jpg")
    assert picture_of_example(example_of_picture(surrogate)) == surrogate


def test_the_features_have_the_names_that_pai_reads() -> None:
    features = decode_example(example_of_picture(PICTURE))
    assert features["image/encoded"] == [PICTURE.encoded]
    assert features["image/format"] == [b"png"]
    assert features["image/class/label"] == [7]
    assert features["image/filename"] == ["苹果/a b.png".encode()]


def test_a_record_of_another_has_the_defaults_of_pai() -> None:
    picture = picture_of_example(encode_example({"image/encoded": [b"abc"]}), key="k")
    assert picture == PackedPicture("k", b"abc", "jpeg", "", -1, "", 0, 0)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"image/format": [b"jpeg"]}, "no image/encoded; its features are: image/format"),
        ({"image/encoded": [3]}, "image/encoded holds int, expected bytes"),
        ({"image/encoded": [b"a"], "image/class/label": [b"7"]}, "label holds bytes, expected int"),
    ],
)
def test_a_record_without_a_picture_is_refused(features: dict[str, list], words: str) -> None:
    with pytest.raises(RecordError, match=words):
        picture_of_example(encode_example(features))
