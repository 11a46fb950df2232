"""Draws text, Chinese included, with fonts that come with the toolkit and with matplotlib.

DejaVu Sans has the letters of Europe, Droid Sans Fallback has the Chinese characters and little
else, so a text is cut into runs that one of the two can draw.
"""

import functools
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

CHINESE_FONT = Path(__file__).resolve().parent / "fonts" / "DroidSansFallbackFull.ttf"

_ELLIPSIS = "..."
_TEXT, _BAND = (255, 255, 255), (188, 32, 38)
# The label's height is a share of the picture's width, within bounds that stay legible.
_SHARE_OF_WIDTH = 0.05
_SMALLEST, _LARGEST = 14, 48
# Pictures are shown at least this wide, or there is no room for a label.
_LEAST_SIDE = 160


@functools.cache
def latin_font() -> Path:
    """Returns DejaVu Sans, which matplotlib carries."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def runs(text: str) -> list[tuple[Path, str]]:
    """Cuts a text into (font file, piece), so that each piece's characters are in its font.

    Characters that no font has (emoji, control characters) become the replacement character.
    """
    known = "".join(c if _can_be_drawn(c) else "\N{REPLACEMENT CHARACTER}" for c in text)
    return [(font, "".join(piece)) for font, piece in groupby(known, _font_of)]


def draw_label(
    pixels: NDArray[np.uint8], text: str, *, colour: tuple[int, int, int] = _BAND
) -> NDArray[np.uint8]:
    """Puts a label in a band above a picture, so that it hides nothing of it.

    A picture that is too small for a label is enlarged first; a text that is too long is cut.

    Args:
        pixels: RGB uint8 [h, w, 3], from 1 x 1.
        text: any text.
        colour: of the band.

    Returns:
        RGB uint8, with the band on top.
    """
    picture = _enlarged(Image.fromarray(np.ascontiguousarray(pixels)))
    size = int(min(max(_SHARE_OF_WIDTH * picture.width, _SMALLEST), _LARGEST))
    padding = size // 3
    width = max(picture.width, _LEAST_SIDE)
    text = _fitting(text, size, width - 2 * padding)
    band = size + 2 * padding
    canvas = Image.new("RGB", (width, picture.height + band), "white")
    canvas.paste(picture, ((width - picture.width) // 2, band))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, width, band - 1), fill=colour)
    baseline = padding + round(0.82 * size)
    x = float(padding)
    for file, piece in runs(text):
        font = _load(file, size)
        draw.text((x, baseline), piece, font=font, fill=_TEXT, anchor="ls")
        x += font.getlength(piece)
    return np.asarray(canvas)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Enlarges by a whole factor, so that single pixels stay squares."""
    factor = -(-_LEAST_SIDE // max(picture.size)) if max(picture.size) < _LEAST_SIDE else 1
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST) if factor > 1 else picture


def _fitting(text: str, size: int, width: int) -> str:
    """Cuts a text that is wider than `width` pixels and ends it in dots."""
    if _length(text, size) <= width:
        return text
    while text and _length(text + _ELLIPSIS, size) > width:
        text = text[:-1]
    return text + _ELLIPSIS


def _length(text: str, size: int) -> float:
    return sum(_load(font, size).getlength(piece) for font, piece in runs(text))


@functools.lru_cache(maxsize=64)
def _load(font: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font), size)


def _can_be_drawn(character: str) -> bool:
    return character.isprintable() and any(
        ord(character) in _characters(font) for font in (latin_font(), CHINESE_FONT)
    )


def _font_of(character: str) -> Path:
    is_chinese = ord(character) not in _characters(latin_font()) and ord(character) in _characters(
        CHINESE_FONT
    )
    return CHINESE_FONT if is_chinese else latin_font()


@functools.cache
def _characters(font: Path) -> frozenset[int]:
    """Returns the code points that a font has."""
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font)).get_charmap())
