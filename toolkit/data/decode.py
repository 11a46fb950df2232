"""Encoded bytes to RGB pixels, the one way for every mode: check, training, evaluation, predict.

Pillow reads the header of every file and decodes most, because it says when a file ends too early
instead of painting the rest grey. A JPEG without a fault is decoded by libjpeg-turbo directly; the
pixels are the same, and those that OpenCV gives (all three use that library).
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from toolkit.data.containers import damaged_png_chunk, is_cut_off
from toolkit.data.header import DecodeError, Header, header_of, open_image, reason_of
from toolkit.data.jpeg import Target, decode_jpeg, divisor_for
from toolkit.data.rgb import orient, orientation_of, swaps_sides, to_rgb
from toolkit.errors import ImageError

__all__ = [
    "MAX_PIXELS",
    "DecodeError",
    "Decoded",
    "decode",
    "read_rgb",
    "rgb_from_pil",
]

MAX_PIXELS = 100_000_000
"""Pictures with more pixels than this are refused before they are decoded."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as a person sees it, and how it was stored.

    Attributes:
        pixels: uint8 RGB [h, w, 3], upright, over white where it was transparent; perhaps read-only
            (a copy would cost a tenth of the time).
        format: see `Header`, as all that follow.
        mode: how colours were stored.
        frames: pictures in the file; `pixels` is the first.
        orientation: EXIF orientation that has been applied.
        has_alpha: True when some pixels may have been transparent.
        bits: a channel in the file: 8 or 16.
    """

    pixels: NDArray[np.uint8]
    format: str
    mode: str
    frames: int
    orientation: int
    has_alpha: bool
    bits: int


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, target: Target | None = None) -> Decoded:
    """Decodes the first picture of a file, whole or not at all.

    Args:
        data: the bytes of a JPEG, PNG, WebP, GIF, BMP, TIFF, PPM/PGM/PBM, AVIF, JPEG 2000 or Sun
            raster file.
        max_pixels: largest width x height allowed; looked up in the header, before any pixel.
        target: what the picture will be resized to. A JPEG that is several times as large is then
            decoded at 1/2, 1/4 or 1/8 of its sides, still with twice the pixels a side that the
            target has; None decodes every pixel.

    Raises:
        DecodeError: the picture cannot be had; `kind` says why.
    """
    with open_image(data) as image:
        header = header_of(image)
        count = header.width * header.height
        if count > max_pixels:
            raise DecodeError(
                f"{header.width} x {header.height} is {count:,} pixels; at most {max_pixels:,} "
                "are decoded. Scale the picture down.",
                "bomb",
            )
        _check_container(data, header.format)
        pixels, applied = _decode_opened(image, data, header, target)
    return Decoded(
        pixels=pixels,
        format=header.format,
        mode=header.mode,
        frames=header.frames,
        orientation=header.orientation if applied == 1 else applied,
        has_alpha=header.has_alpha,
        bits=header.bits,
    )


def read_rgb(
    path: Path, *, max_pixels: int = MAX_PIXELS, target: Target | None = None
) -> NDArray[np.uint8]:
    """Reads and decodes a file.

    Args:
        path: the file.
        max_pixels: see `decode`.
        target: see `decode`.

    Returns:
        uint8 RGB [h, w, 3], perhaps read-only.

    Raises:
        ImageError: the file cannot be read, or (`DecodeError`) decoded; the message begins with
            the path.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file.") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: the file cannot be read ({reason}).") from error
    try:
        return decode(data, max_pixels=max_pixels, target=target).pixels
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}", error.kind) from error


def rgb_from_pil(image: Image.Image, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Turns an open Pillow image, of any mode, into pixels as `decode` would have done.

    Returns:
        uint8 RGB [h, w, 3], upright.

    Raises:
        DecodeError: its data cannot be decoded, its mode has no colours, or it is too large.
    """
    if image.width * image.height > max_pixels:
        raise DecodeError(f"{image.width} x {image.height} is above {max_pixels:,} pixels.", "bomb")
    pixels, _ = _load(image, image.format or "image")
    return pixels


def _decode_opened(
    image: ImageFile.ImageFile, data: bytes, header: Header, target: Target | None
) -> tuple[NDArray[np.uint8], int]:
    """Decodes what has been opened; returns the same as `_load`."""
    if header.format != "JPEG":
        return _load(image, header.format)
    sides = header.width, header.height
    divisor = divisor_for(*(sides[::-1] if swaps_sides(header.orientation) else sides), target)
    if header.mode in ("RGB", "L"):
        pixels = decode_jpeg(data, *sides, divisor=divisor)
        if pixels is not None:
            return orient(pixels, header.orientation), header.orientation
    # Inks, and whatever has a fault: Pillow says which, or forgives it.
    if divisor > 1:
        image.draft(None, (header.width // divisor, header.height // divisor))
    return _load(image, header.format)


def _load(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], int]:
    """Decodes to upright RGB, and says in our words what Pillow has found wrong.

    Returns:
        The pixels, and the orientation that was applied to those that Pillow gave.
    """
    try:
        with _pillow_limit_ignored(image):
            pixels = to_rgb(image)
        # Only now: a TIFF is turned while it is loaded, and then says that it is upright; a PNG may
        # have its orientation behind the pixels.
        orientation = orientation_of(image)
        return orient(pixels, orientation), orientation
    except Image.DecompressionBombError as error:
        raise DecodeError(str(error), "bomb") from error
    except Exception as error:  # damaged data make decoders raise nearly anything
        reason = reason_of(error)
        if "truncated" in reason.lower() or "not enough image data" in reason:
            raise DecodeError(f"the {name} file ends too early ({reason}).", "truncated") from error
        raise DecodeError(f"the {name} data cannot be decoded ({reason}).", "unreadable") from error


@contextmanager
def _pillow_limit_ignored(image: Image.Image) -> Iterator[None]:
    """Silences Pillow's warning about large pictures: the size has passed the caller's limit.

    Warning filters belong to the process, so they are touched only for pictures that are so large.
    """
    if image.width * image.height <= (Image.MAX_IMAGE_PIXELS or math.inf):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _check_container(data: bytes, name: str) -> None:
    """Finds cut and damaged files whose pixels Pillow would return all the same."""
    if is_cut_off(data, name):
        raise DecodeError(f"the {name} file ends too early.", "truncated")
    if name == "PNG" and (damaged := damaged_png_chunk(data)):
        raise DecodeError(f"the PNG chunk {damaged!r} has a wrong checksum.", "unreadable")
