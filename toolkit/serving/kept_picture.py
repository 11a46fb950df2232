"""Pictures that are kept beside their records: under which name, and how they are shown."""

import hashlib
import io

from PIL import Image

from toolkit.data.header import read_header
from toolkit.errors import ImageError
from toolkit.serving.decoding import Decoder

_TYPES = {
    "JPEG": ("jpg", "image/jpeg"),
    "PNG": ("png", "image/png"),
    "WEBP": ("webp", "image/webp"),
    "GIF": ("gif", "image/gif"),
    "BMP": ("bmp", "image/bmp"),
    "TIFF": ("tif", "image/tiff"),
    "AVIF": ("avif", "image/avif"),
}
_QUALITY = 85


def name_for(picture: bytes) -> str:
    """Returns the name under which a picture is kept: equal pictures are one file."""
    ending, _ = _TYPES.get(read_header(picture).format, ("bin", ""))
    return f"{hashlib.sha256(picture).hexdigest()[:32]}.{ending}"


def content_type(picture: bytes) -> str:
    """Returns the type of a picture that is sent as it is; of unusual ones, only that it is data.

    The bytes decide and not the name: a file that is several things at once is shown as a picture
    or not at all.
    """
    try:
        _, known = _TYPES.get(read_header(picture).format, ("", "application/octet-stream"))
    except ImageError:
        return "application/octet-stream"
    return known


def thumbnail(picture: bytes, side: int, decoder: Decoder) -> bytes:
    """Returns a JPEG with no side longer than `side`, and nothing but pixels in it.

    Raises:
        Problem: the picture cannot be decoded.
    """

    def fitting(width: int, height: int) -> tuple[int, int]:
        share = side / max(side, width, height)
        return max(1, round(width * share)), max(1, round(height * share))

    image = Image.fromarray(decoder.pixels(picture, fitting))
    image.thumbnail((side, side))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
