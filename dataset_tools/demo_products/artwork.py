"""The print on a package: pattern, emblem and brand on the front; small print on the back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dataset_tools.demo_products.design import Colour, Design
from dataset_tools.demo_products.emblems import draw_emblem

# uint8, RGB; cv2's own annotations do not say so.
Pixels = npt.NDArray[Any]
# Left, top, right, bottom in shares of width and height.
Box = tuple[float, float, float, float]


def front(design: Design, width: int, height: int) -> Pixels:
    """Draws the front of a package.

    Returns:
        RGB uint8 [height, width, 3].
    """
    image = _pattern(design, width, height)
    _LAYOUT_PAINTERS[design.layout](image, design)
    return image


def back(design: Design, width: int, height: int) -> Pixels:
    """Draws the side that nobody looks at: lines of small print and a bar code."""
    _, second, _, ink = design.palette
    image = np.full((height, width, 3), second, np.uint8)
    rng = np.random.default_rng(len(design.name) + design.count)
    for y in range(height // 8, height * 6 // 10, max(height // 18, 3)):
        right = int(width * rng.uniform(0.6, 0.9))
        cv2.line(image, (width // 10, y), (right, y), _mix(second, ink, 0.6), max(height // 90, 1))
    x = width // 5
    while x < width * 4 // 5:
        bar = int(rng.integers(1, 4))
        top, bottom = height * 7 // 10, height * 17 // 20
        cv2.rectangle(image, (x, top), (x + bar - 1, bottom), ink, cv2.FILLED)
        x += bar + int(rng.integers(1, 4))
    return image


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (
        round(a * (1 - share) + b * share) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def _pattern(design: Design, width: int, height: int) -> Pixels:
    """Fills the ground; a pattern is a function of the place, -1..1 across and down."""
    ground, second, _, _ = design.palette
    aspect = height / width
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = (x + 0.5) / width * 2 - 1
    y = ((y + 0.5) / height * 2 - 1) * aspect
    n = design.count
    wave = {
        "plain": lambda: np.full_like(x, -1),
        "bands": lambda: np.sin(y * n * 2.2),
        "stripes": lambda: np.sin(x * n * 2.2),
        "diagonal": lambda: np.sin((x + y) * n * 1.8),
        "chevrons": lambda: np.sin((np.abs(x) + y) * n * 2),
        "dots": lambda: np.cos(x * n * 2.4) + np.cos(y * n * 2.4) - 0.7,
        "checks": lambda: np.sin(x * n * 1.8) * np.sin(y * n * 1.8),
        "waves": lambda: np.sin((y + 0.16 * np.sin(x * 9)) * n * 2.2),
        "rays": lambda: np.sin(np.arctan2(y, x) * n * 2),
        "halves": lambda: y - 0.15 * (n - 5) - 0.1,
        "triangles": lambda: np.abs((x * n / 2) % 2 - 1) * 2 - 1 + np.sin(y * n * 1.6),
        "frame": lambda: np.maximum(np.abs(x), np.abs(y) / aspect) - 0.74,
    }[design.pattern]()
    # A sharp edge, where -1..1 is a whole package; then a little paler than the print on top.
    solid = design.pattern in ("halves", "frame")
    share = np.clip(wave * (60 if solid else 12) + 0.5, 0, 1)[..., None]
    strength = 1.0 if solid else 0.75
    share = share * strength
    pixels: Pixels = np.array(ground) * (1 - share) + np.array(second) * share
    return pixels.astype(np.uint8)


def _write(image: Pixels, design: Design, box: Box, colour: Colour) -> None:
    """Writes the brand into a box, as large as it fits."""
    height, width = image.shape[:2]
    left, top, right, bottom = np.array(box) * (width, height, width, height)
    brand = design.name.split("_")[0].upper()
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / design.font
    font = ImageFont.truetype(str(file), 100)
    x0, y0, x1, y1 = font.getbbox(brand)
    size = 100 * min((right - left) / (x1 - x0), (bottom - top) / (y1 - y0))
    font = font.font_variant(size=max(size, 4))
    canvas = Image.fromarray(image)
    centre = ((left + right) / 2, (top + bottom) / 2)
    ImageDraw.Draw(canvas).text(centre, brand, fill=colour, font=font, anchor="mm")
    image[:] = np.asarray(canvas)


def _rectangle(image: Pixels, box: Box, colour: Colour) -> None:
    height, width = image.shape[:2]
    left, top, right, bottom = box
    first = (round(left * width), round(top * height))
    last = (round(right * width), round(bottom * height))
    cv2.rectangle(image, first, last, colour, cv2.FILLED)


def _emblem(
    image: Pixels, design: Design, x: float, y: float, radius: float, colour: Colour
) -> None:
    """Draws the emblem; the place in shares of width and height, the radius of the smaller."""
    height, width = image.shape[:2]
    draw_emblem(image, design.emblem, (x * width, y * height), radius * min(width, height), colour)


def _disc(image: Pixels, x: float, y: float, radius: float, colour: Colour) -> None:
    height, width = image.shape[:2]
    centre = (round(x * width), round(y * height))
    cv2.circle(image, centre, round(radius * min(width, height)), colour, cv2.FILLED, cv2.LINE_AA)


def _emblem_above(image: Pixels, design: Design) -> None:
    _, second, accent, ink = design.palette
    _disc(image, 0.5, 0.36, 0.36, second)
    _emblem(image, design, 0.5, 0.36, 0.28, accent)
    _rectangle(image, (0, 0.68, 1, 0.88), second)
    _write(image, design, (0.1, 0.71, 0.9, 0.85), ink)


def _name_above(image: Pixels, design: Design) -> None:
    ground, _, accent, ink = design.palette
    _rectangle(image, (0, 0.06, 1, 0.26), accent)
    _write(image, design, (0.1, 0.09, 0.9, 0.23), ink)
    _disc(image, 0.5, 0.6, 0.38, ground)
    _emblem(image, design, 0.5, 0.6, 0.3, ink)


def _badge(image: Pixels, design: Design) -> None:
    ground, second, accent, ink = design.palette
    _disc(image, 0.5, 0.48, 0.47, accent)
    _disc(image, 0.5, 0.48, 0.43, second)
    _emblem(image, design, 0.5, 0.4, 0.24, ink)
    _write(image, design, (0.2, 0.62, 0.8, 0.72), ground)


def _banner(image: Pixels, design: Design) -> None:
    ground, second, accent, _ = design.palette
    _rectangle(image, (0, 0.38, 1, 0.62), second)
    _rectangle(image, (0, 0.36, 1, 0.38), accent)
    _rectangle(image, (0, 0.62, 1, 0.64), accent)
    _write(image, design, (0.08, 0.42, 0.92, 0.58), ground)
    _disc(image, 0.5, 0.19, 0.2, accent)
    _emblem(image, design, 0.5, 0.19, 0.15, ground)
    _emblem(image, design, 0.5, 0.81, 0.15, accent)


def _ribbon(image: Pixels, design: Design) -> None:
    _, second, accent, ink = design.palette
    height, width = image.shape[:2]
    corners = np.array([[0, 0.72], [1, 0.5], [1, 0.72], [0, 0.94]]) * (width, height)
    cv2.fillPoly(image, [corners.round().astype(np.int32)], accent, cv2.LINE_AA)
    _write(image, design, (0.12, 0.64, 0.88, 0.8), ink)
    _disc(image, 0.5, 0.3, 0.32, second)
    _emblem(image, design, 0.5, 0.3, 0.26, ink)


def _corner(image: Pixels, design: Design) -> None:
    ground, second, accent, ink = design.palette
    _rectangle(image, (0, 0, 0.5, 1), second)
    _emblem(image, design, 0.25, 0.26, 0.2, accent)
    _emblem(image, design, 0.25, 0.56, 0.14, ink)
    _emblem(image, design, 0.25, 0.8, 0.1, ink)
    _rectangle(image, (0.45, 0.4, 1, 0.56), ink)
    _write(image, design, (0.48, 0.42, 0.97, 0.54), max(ground, second, key=sum))


_LAYOUT_PAINTERS: dict[str, Callable[[Pixels, Design], None]] = {
    "emblem_above": _emblem_above,
    "name_above": _name_above,
    "badge": _badge,
    "banner": _banner,
    "ribbon": _ribbon,
    "corner": _corner,
}
