"""What is known of a packed picture, whichever kind of file it is packed into."""

from dataclasses import dataclass
from typing import Literal

PackFormat = Literal["tfrecord", "webdataset"]

SUFFIXES: dict[PackFormat, str] = {"tfrecord": ".tfrecord", "webdataset": ".tar"}
NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """One picture as it is stored.

    Attributes:
        key: what tells it from all others of its list: the number of its line, eight digits.
        encoded: an image file, whole.
        format: of `encoded`: "jpeg", "png".
        name: its path as the list has it.
        label: the class as a number; -1 for none.
        class_name: the class as the list has it; "" for none.
        width: of the upright picture in pixels; 0 when the record does not say.
        height: of the upright picture in pixels; 0 when the record does not say.
    """

    key: str
    encoded: bytes
    format: str = "jpeg"
    name: str = ""
    label: int = NO_LABEL
    class_name: str = ""
    width: int = 0
    height: int = 0
