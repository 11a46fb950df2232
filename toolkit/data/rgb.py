"""From any way of storing colours to upright RGB: modes, palettes, transparency, bits, orientation.

Colour profiles are not applied: neither PaddleX nor OpenCV does.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ORIENTATION_TAG = 0x0112


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Turns a Pillow image of any mode into colours over white; decodes it where that is to do.

    Returns:
        uint8 [h, w, 3], in stored orientation (a TIFF: already turned); it may be read-only.

    Raises:
        ValueError: the values have no fixed range.
        Exception: whatever Pillow raises about damaged data.
    """
    if image.mode == "F":
        raise ValueError(
            "it holds floating point values, which have no fixed white; save it with 8 bits"
        )
    if image.mode.startswith("I"):
        return _rgb_from_16_bit(image)
    if not has_alpha(image):
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    colours = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(colours, mask=colours.getchannel("A"))
    return np.asarray(canvas)


def has_alpha(image: Image.Image) -> bool:
    """Says whether some pixels may be transparent: an alpha channel, or one colour marked so."""
    return image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info


def orientation_of(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 (upright) to 8; 1 when there is none or it makes no sense."""
    if image.format == "PNG" and "exif" not in image.info and getattr(image, "tile", None):
        return 1  # not loaded yet: Pillow would decode all pixels to look for a block behind them
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block does not make the picture unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def swaps_sides(orientation: int) -> bool:
    """Says whether turning a picture upright makes its stored rows columns."""
    return orientation in (5, 6, 7, 8)


def orient(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turns stored pixels [h, w, ...] upright.

    Args:
        pixels: rows as they are stored.
        orientation: 1 to 8.

    Source:
        EXIF 2.32 (CIPA DC-008), tag 0x0112: the value says which sides of the scene the first
        stored row and column are, e.g. 6: row 0 is the right side, column 0 the top.
    """
    turn: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        2: np.fliplr,
        3: lambda stored: stored[::-1, ::-1],
        4: np.flipud,
        5: lambda stored: stored.swapaxes(0, 1),
        6: lambda stored: np.rot90(stored, -1),
        7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90,
    }
    return np.ascontiguousarray(turn[orientation](pixels)) if orientation in turn else pixels


def _rgb_from_16_bit(image: Image.Image) -> NDArray[np.uint8]:
    """Keeps the high byte of 16, as Pillow and OpenCV do for 16-bit colour; 65535 becomes 255."""
    values = np.asarray(image).astype(np.int64)
    if values.size and not 0 <= values.min() <= values.max() <= 65535:
        raise ValueError(
            f"its values run from {values.min()} to {values.max()}, beyond 16 bits; "
            "save it with 8 bits"
        )
    grey = (values >> 8).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return np.repeat(grey[..., np.newaxis], 3, axis=2)
