"""Queries and their hits on one picture: a row a query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.reports.labels import draw_label
from toolkit.storage import atomic_path

_SIDE, _GAP = 160, 6
_GREY, _WHITE = (200, 200, 200), (255, 255, 255)
# Bands that people of any sight tell apart, by their brightness too.
_BANDS = {None: (64, 64, 64), True: (0, 114, 78), False: (196, 78, 32)}
# Between a query and its hits.
_PARTED = 18


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        path: where it is.
        caption: what is written on it.
        is_right: whether a hit is what its query is; None where nobody knows, and for a query.
    """

    path: Path
    caption: str
    is_right: bool | None = None


def write_contact_sheet(
    file: Path, rows: Sequence[Sequence[Cell]], read: Callable[[Path], NDArray[np.uint8] | None]
) -> Path:
    """Writes a PNG with a row for each query: itself first, then its hits.

    Args:
        file: where to.
        rows: the query and its hits.
        read: gives the RGB uint8 [h, w, 3] pixels of a picture, or None, which is shown grey.

    Returns:
        The file.
    """
    drawn = [[_labelled(cell, read) for cell in row] for row in rows]
    columns = max((len(row) for row in drawn), default=1)
    height = _GAP + max((cell.height for row in drawn for cell in row), default=_SIDE)
    width = columns * (_SIDE + _GAP) + _PARTED + _GAP
    sheet = Image.new("RGB", (width, max(len(rows), 1) * height + _GAP), _WHITE)
    for line, row in enumerate(drawn):
        for column, cell in enumerate(row):
            left = _GAP + column * (_SIDE + _GAP) + (_PARTED if column else 0)
            sheet.paste(cell, (left, _GAP + line * height))
    with atomic_path(file) as temporary:
        sheet.save(temporary)
    return file


def _labelled(cell: Cell, read: Callable[[Path], NDArray[np.uint8] | None]) -> Image.Image:
    """Returns a picture in the middle of a square, with its caption in a band above."""
    square = Image.new("RGB", (_SIDE, _SIDE), _GREY)
    pixels = read(cell.path)
    if pixels is not None:
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        square.paste(picture, ((_SIDE - picture.width) // 2, (_SIDE - picture.height) // 2))
    return Image.fromarray(
        draw_label(np.asarray(square), cell.caption, colour=_BANDS[cell.is_right])
    )
