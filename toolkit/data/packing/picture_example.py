"""A packed picture as a tf.train.Example, with the features that PAI's training reads."""

from collections.abc import Mapping
from typing import TypeVar

from toolkit.data.packing.example import Values, decode_example, encode_example
from toolkit.data.packing.picture import NO_LABEL, PackedPicture
from toolkit.errors import RecordError

_Value = TypeVar("_Value", bytes, int)


def example_of_picture(picture: PackedPicture) -> bytes:
    """Returns the message of a picture."""
    return encode_example(
        {
            "image/encoded": [picture.encoded],
            "image/format": [picture.format.encode()],
            "image/id": [picture.key.encode()],
            "image/filename": [picture.name.encode(errors="surrogateescape")],
            "image/class/label": [picture.label],
            "image/class/text": [picture.class_name.encode()],
            "image/width": [picture.width],
            "image/height": [picture.height],
        }
    )


def picture_of_example(message: bytes, key: str = "") -> PackedPicture:
    """Returns the picture of a message, ours or another's.

    Args:
        message: a tf.train.Example with at least `image/encoded`.
        key: of the picture where the message has no `image/id`.

    Raises:
        RecordError: the bytes are no Example, have no picture, or a feature of another kind.
    """
    features = decode_example(message)
    encoded = _first(features, "image/encoded", b"")
    if not encoded:
        raise RecordError(
            f"the record has no image/encoded; its features are: {', '.join(sorted(features))}."
        )
    return PackedPicture(
        key=_text(features, "image/id", key),
        encoded=encoded,
        format=_text(features, "image/format", "jpeg"),
        name=_text(features, "image/filename", ""),
        label=_first(features, "image/class/label", NO_LABEL),
        class_name=_text(features, "image/class/text", ""),
        width=_first(features, "image/width", 0),
        height=_first(features, "image/height", 0),
    )


def _text(features: Mapping[str, Values], name: str, default: str) -> str:
    return _first(features, name, default.encode()).decode(errors="surrogateescape")


def _first(features: Mapping[str, Values], name: str, default: _Value) -> _Value:
    """Returns the first value of a feature; the default when there is none."""
    values = features.get(name) or [default]
    value = values[0]
    if not isinstance(value, type(default)):
        raise RecordError(
            f"the feature {name} holds {type(value).__name__}, expected {type(default).__name__}."
        )
    return value
