"""What is known of one image file after decoding it once; the pixels themselves are not kept."""

import base64
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file gives no picture.

    Attributes:
        kind: the last part of a code: ``unreadable``, ``truncated``, ``zero_bytes``,
            ``not_an_image`` or ``bomb``.
        reason: in words.
    """

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What was measured on the decoded picture, upright and in RGB.

    Attributes:
        width: in pixels, after EXIF rotation.
        height: in pixels, after EXIF rotation.
        format: of the file: "JPEG".
        mode: of the file's pixels: "RGB", "CMYK", "L", "I;16", ...
        frames: how many frames or pages the file has.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        bits: a channel: 8 or 16.
        alpha: whether the file has an alpha channel.
        grey: whether the three channels are equal everywhere.
        pixels: hash of size and pixels; equal for the same picture saved losslessly twice.
        sharpness: variance of the Laplacian, grey 0 to 255, longer side shrunk to 256.
        edges: standard deviation of the edges, 0 to 255, longer side shrunk to 64.
        darkest: 1st percentile of brightness, 0 black to 1 white.
        dark_end: 5th percentile of brightness.
        brightest: 99th percentile of brightness.
        entropy: of the grey values, in bits, 0 (one value) to 8 (all 256 alike often).
        contrast: standard deviation of a 64 x 64 grey thumbnail, grey 0 to 255.
        thumbnail: 32 x 32 grey bytes.
    """

    width: int
    height: int
    format: str
    mode: str
    frames: int
    orientation: int
    bits: int
    alpha: bool
    grey: bool
    pixels: str
    sharpness: float
    edges: float
    darkest: float
    dark_end: float
    brightest: float
    entropy: float
    contrast: float
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One file: what it is on disk, and the picture in it or why there is none.

    Attributes:
        path: absolute.
        size: in bytes.
        mtime_ns: time of the last change; path, size and mtime_ns are the key of the cache.
        sha256: of the bytes, or an empty string when they could not be read.
        failure: why there is no picture.
        picture: what was measured; None exactly when `failure` is not.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    failure: Failure | None = None
    picture: Picture | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON types; `from_json` gives back the same facts."""
        record = {name: getattr(self, name) for name in _OF_A_FILE}
        if self.failure is not None:
            record["failure"] = {"kind": self.failure.kind, "reason": self.failure.reason}
        if self.picture is not None:
            picture = {name: getattr(self.picture, name) for name in _OF_A_PICTURE}
            picture["thumbnail"] = base64.b64encode(self.picture.thumbnail).decode("ascii")
            record["picture"] = picture
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ImageFacts":
        """Reads what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: the record is not of this form.
        """
        fields = dict(record)
        failure, picture = fields.pop("failure"), fields.pop("picture")
        if picture is not None:
            thumbnail = base64.b64decode(picture["thumbnail"], validate=True)
            picture = Picture(**{**picture, "thumbnail": thumbnail})
        return cls(**fields, failure=Failure(**failure) if failure else None, picture=picture)


# `dataclasses.asdict` copies every value, which took a tenth of the time of a picture.
_OF_A_FILE = tuple(field.name for field in dataclasses.fields(ImageFacts))
_OF_A_PICTURE = tuple(field.name for field in dataclasses.fields(Picture))
