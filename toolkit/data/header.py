"""What a file says about its picture before a pixel is decoded, and what may be wrong with it."""

import io
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, cast

from PIL import Image, ImageFile

from toolkit.data.containers import describe_stranger, is_cut_off
from toolkit.data.rgb import has_alpha, orientation_of
from toolkit.errors import ImageError

Fault = Literal["zero_bytes", "not_an_image", "truncated", "unreadable", "bomb"]

# Only formats that hold pixels. Pillow knows more, and some of those run other programs (EPS). The
# part of Pillow that knows a format is imported for the first file that may be of it.
_FORMATS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "DIB": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "PPM": "PpmImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "SUN": "SunImagePlugin",
}


# Tags of TIFF 6.0, section 8.
_TIFF_WIDTH, _TIFF_LENGTH = 256, 257


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


def read_header(data: bytes) -> Header:
    """Reads format, size and kind of a picture without decoding its pixels.

    Raises:
        DecodeError: no bytes, not a picture, or a header that is cut off or damaged.
    """
    with open_image(data) as image:
        return header_of(image)


class _WatchedBytes(io.BytesIO):
    """Remembers whether more was asked for than there was: then a broken header is a cut one."""

    ran_out = False

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if size is not None and size > len(chunk):
            self.ran_out = True
        return chunk


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Finds the format by its first bytes and parses the header.

    `PIL.Image.open` does the same and then compares the size with a limit that belongs to the whole
    process, with a warning; here the limit is an argument, so Pillow's table is walked directly.

    Raises:
        DecodeError: no bytes, not a picture, or a header that is cut off or damaged.
    """
    if not data:
        raise DecodeError("the file is empty (0 bytes).", "zero_bytes")
    start = data[:16].ljust(16, b"\x00")  # some recognisers unpack without asking for the length
    for name in _FORMATS:
        factory, accept = _parser(name)
        if factory is None or (accept is not None and accept(start) is not True):
            continue
        stream = _WatchedBytes(data)
        try:
            image: ImageFile.ImageFile = factory(stream, "")
        except Image.DecompressionBombError as error:
            raise DecodeError(str(error), "bomb") from error
        except Exception as error:  # a damaged header makes parsers raise nearly anything
            if stream.ran_out or is_cut_off(data, name):
                raise DecodeError(
                    f"the {name} file ends inside its header.", "truncated"
                ) from error
            raise DecodeError(
                f"the {name} header is damaged ({reason_of(error)}).", "unreadable"
            ) from error
        return image
    known = ", ".join(name for name in _FORMATS if name != "DIB")
    raise DecodeError(f"{describe_stranger(data)} Known: {known}.", "not_an_image")


def _parser(name: str) -> tuple[Any, Any]:
    """Returns what opens a format, and what recognises its first bytes; None without either."""
    if name not in Image.OPEN:
        try:
            import_module(f"PIL.{_FORMATS[name]}")
        except ImportError:  # AVIF came with Pillow 11.3
            return None, None
    return Image.OPEN.get(name, (None, None))


def header_of(image: ImageFile.ImageFile) -> Header:
    """Returns what an opened picture says about itself; nothing is decoded."""
    is_grey_16 = image.mode == "I" or image.mode.startswith("I;16")
    width, height = image.size
    if image.format == "TIFF":  # it gives the size that it will have when it is turned
        tags = cast(Any, image).tag_v2
        width, height = tags[_TIFF_WIDTH], tags[_TIFF_LENGTH]
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


def reason_of(error: Any) -> str:
    """Returns what an exception says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
