"""A picture on its way into a record: checked, shrunk where it is too large, in one encoding."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import decode
from toolkit.data.header import read_header
from toolkit.data.rgb import swaps_sides

Encoding = Literal["jpg", "png"]

FORMATS: dict[Encoding, str] = {"jpg": "jpeg", "png": "png"}
"""What a record calls an encoding."""

# Of libjpeg, a little under the 16 bits of the format.
_LONGEST_JPEG = 65_500


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How pictures are stored.

    Attributes:
        encoding: what they are encoded in.
        max_side: longest side in pixels; a larger picture is shrunk. None shrinks none.
        jpeg_quality: of those that have to be encoded, 1 to 100.
    """

    encoding: Encoding
    max_side: int | None
    jpeg_quality: int


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture as it is to be stored.

    Attributes:
        encoded: an image file.
        width: of the upright picture in pixels.
        height: of the upright picture in pixels.
    """

    encoded: bytes
    width: int
    height: int


def fit_for_storing(data: bytes, options: StoreOptions) -> StoredPicture:
    """Returns the bytes to store for an image file.

    A file that needs no shrinking and is in the wanted encoding is returned byte for byte, with
    its EXIF orientation if it has one. Any other becomes upright 8-bit RGB, over white where it was
    transparent; its first picture if it holds several. Every file is decoded either way.

    Raises:
        DecodeError: the picture cannot be decoded; see `toolkit.data.decode.decode`.
        ValueError: it is too wide or high for a JPEG file.
    """
    header = read_header(data)
    width, height = header.width, header.height
    if swaps_sides(header.orientation):
        width, height = height, width
    wanted = _shrunk(width, height, options.max_side)
    is_kept = wanted == (width, height) and header.format.lower() == FORMATS[options.encoding]
    # What is kept is decoded whole, to see that it can be; what is shrunk only as far as needed.
    pixels = decode(data, target=None if is_kept else lambda *_: wanted).pixels
    if is_kept:
        return StoredPicture(data, width, height)
    if pixels.shape[1::-1] != wanted:
        pixels = np.asarray(cv2.resize(pixels, wanted, interpolation=cv2.INTER_AREA), np.uint8)
    return StoredPicture(_encode(pixels, options), *wanted)


def _shrunk(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    longest = max(width, height)
    if max_side is None or longest <= max_side:
        return width, height
    scale = max_side / longest
    return max(1, round(width * scale)), max(1, round(height * scale))


def _encode(pixels: NDArray[np.uint8], options: StoreOptions) -> bytes:
    if options.encoding == "jpg" and max(pixels.shape) > _LONGEST_JPEG:
        raise ValueError(
            f"{pixels.shape[1]} x {pixels.shape[0]} pixels are too many for a JPEG file, which has "
            f"at most {_LONGEST_JPEG:,} a side; shrink them with Pack.max_image_size"
        )
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, options.jpeg_quality] if options.encoding == "jpg" else []
    _, encoded = cv2.imencode(f".{options.encoding}", bgr, quality)
    return encoded.tobytes()
