"""Encoded bytes to RGB pixels, the one way for every mode: check, training, evaluation, predict.

Pillow decodes, because it says when a file ends too early instead of painting the rest grey; the
pixels of a JPEG are those that OpenCV gives (both use libjpeg-turbo).
"""

import io
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

from toolkit.data.containers import damaged_png_chunk, describe_stranger, is_cut_off
from toolkit.data.rgb import has_alpha, orient, orientation_of, to_rgb
from toolkit.errors import ImageError

MAX_PIXELS = 100_000_000
"""Pictures with more pixels than this are refused before they are decoded."""

Fault = Literal["zero_bytes", "not_an_image", "truncated", "unreadable", "bomb"]

# Only formats that hold pixels. Pillow knows more, and some of those run other programs (EPS).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "SUN")


class DecodeError(ImageError):
    """One picture cannot be decoded.

    Args:
        message: what is wrong with it.
        kind: ``zero_bytes``, ``not_an_image`` (no known format begins like this), ``truncated``
            (the file ends too early), ``unreadable`` (damaged, or of an unsupported kind) or
            ``bomb`` (more pixels than allowed).
    """

    def __init__(self, message: str, kind: Fault) -> None:
        super().__init__(message)
        self.kind: Fault = kind

    def __reduce__(self) -> tuple[type["DecodeError"], tuple[str, Fault]]:
        # An exception with an argument of its own is lost between processes without this.
        return DecodeError, (str(self), self.kind)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about its picture before anything is decoded.

    Attributes:
        format: ``JPEG``, ``PNG``, ``WEBP``, ``GIF``, ``BMP``, ``TIFF``, ``PPM``, ...
        mode: Pillow's name of how colours are stored: ``RGB``, ``L``, ``CMYK``, ``P``, ``RGBA``,
            ``I;16`` (16-bit grey), ``1``, ...
        width: stored pixels a row, before the orientation is applied.
        height: stored rows.
        frames: pictures in the file; above 1 for an animation or a TIFF of several pages.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        has_alpha: True when some pixels may be transparent.
        bits: a channel: 8 or 16.
    """

    format: str
    mode: str
    width: int
    height: int
    frames: int
    orientation: int
    has_alpha: bool
    bits: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as a person sees it, and how it was stored.

    Attributes:
        pixels: uint8 RGB [h, w, 3], upright, over white where it was transparent; read-only when
            nothing had to be turned (a copy would cost a tenth of the time).
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


def read_header(data: bytes) -> Header:
    """Reads format, size and kind of a picture without decoding its pixels.

    Raises:
        DecodeError: no bytes, not a picture, or a header that is cut off or damaged.
    """
    with _open(data) as image:
        return _header(image)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decodes the first picture of a file, whole or not at all.

    Args:
        data: the bytes of a JPEG, PNG, WebP, GIF, BMP, TIFF, PPM/PGM/PBM, AVIF, JPEG 2000 or Sun
            raster file.
        max_pixels: largest width x height allowed; looked up in the header, before any pixel.

    Raises:
        DecodeError: the picture cannot be had; `kind` says why.
    """
    with _open(data) as image:
        header = _header(image)
        count = header.width * header.height
        if count > max_pixels:
            raise DecodeError(
                f"{header.width} x {header.height} is {count:,} pixels; at most {max_pixels:,} "
                "are decoded. Scale the picture down.",
                "bomb",
            )
        _check_container(data, header.format)
        pixels, applied = _load(image, header.format)
    return Decoded(
        pixels=pixels,
        format=header.format,
        mode=header.mode,
        frames=header.frames,
        orientation=header.orientation if applied == 1 else applied,
        has_alpha=header.has_alpha,
        bits=header.bits,
    )


def read_rgb(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Reads and decodes a file.

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
        return decode(data, max_pixels=max_pixels).pixels
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


class _WatchedBytes(io.BytesIO):
    """Remembers whether more was asked for than there was: then a broken header is a cut one."""

    ran_out = False

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if size is not None and size > len(chunk):
            self.ran_out = True
        return chunk


def _open(data: bytes) -> ImageFile.ImageFile:
    """Finds the format by its first bytes and parses the header.

    `PIL.Image.open` does the same and then compares the size with a limit that belongs to the whole
    process, with a warning; here the limit is an argument, so Pillow's table is walked directly.
    """
    if not data:
        raise DecodeError("the file is empty (0 bytes).", "zero_bytes")
    Image.init()
    start = data[:16].ljust(16, b"\x00")  # some recognisers unpack without asking for the length
    for name in _FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None or (accept is not None and accept(start) is not True):
            continue
        stream = _WatchedBytes(data)
        try:
            return factory(stream, "")
        except Image.DecompressionBombError as error:
            raise DecodeError(str(error), "bomb") from error
        except Exception as error:  # a damaged header makes parsers raise nearly anything
            if stream.ran_out or is_cut_off(data, name):
                raise DecodeError(
                    f"the {name} file ends inside its header.", "truncated"
                ) from error
            raise DecodeError(
                f"the {name} header is damaged ({_reason(error)}).", "unreadable"
            ) from error
    known = ", ".join(name for name in _FORMATS if name != "DIB")
    raise DecodeError(f"{describe_stranger(data)} Known: {known}.", "not_an_image")


def _header(image: ImageFile.ImageFile) -> Header:
    is_grey_16 = image.mode == "I" or image.mode.startswith("I;16")
    width, height = image.size
    if isinstance(image, TiffImageFile):  # it gives the size that it will have when it is turned
        width, height = image.tag_v2[IMAGEWIDTH], image.tag_v2[IMAGELENGTH]
    return Header(
        # An MPO is a JPEG with more pictures behind it: a preview, the other eye, a depth map.
        format="JPEG" if image.format == "MPO" else image.format or "",
        mode="I;16" if is_grey_16 else image.mode,
        width=width,
        height=height,
        frames=_frames(image),
        orientation=orientation_of(image),
        has_alpha=has_alpha(image),
        bits=16 if is_grey_16 or _stores_16_bits(image) else 8,
    )


def _stores_16_bits(image: ImageFile.ImageFile) -> bool:
    """Looks at how the pixels are to be unpacked; the mode of 16-bit colour is RGB all the same."""
    arguments = str([tile.args for tile in image.tile])
    if image.format == "PPM":  # the largest value stands beside the mode: ('RGB', 65535)
        return any(int(number) > 255 for number in re.findall(r"\b\d+\b", arguments))
    return ";16" in arguments


def _frames(image: ImageFile.ImageFile) -> int:
    if image.format == "MPO":
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # damage behind the first frame, which is all that is decoded
        return 1


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
        reason = _reason(error)
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


def _reason(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__
