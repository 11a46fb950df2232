"""From the rows of one picture to the files that a list names: whole pictures, or boxes cut out."""

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_tools.native.placing import Placement
from dataset_tools.native.records import Box, LeftOut, NativeRow
from toolkit import storage
from toolkit.data.convert import SourceProblem
from toolkit.data.decode import read_rgb
from toolkit.errors import ImageError

JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Missing:
    """A picture that an annotation names and that is not there."""

    row: NativeRow


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that becomes a row of a list.

    Attributes:
        row: the native row.
        path: the file, from the output folder on.
    """

    row: NativeRow
    path: str


Outcome = Taken | Missing | LeftOut | SourceProblem


class Taker(Protocol):
    """Turns the rows of one picture into outcomes; may be called from several threads."""

    def __call__(self, rows: Sequence[NativeRow]) -> list[Outcome]:
        """Returns the outcomes of rows that all name the same picture."""


class WholePictures:
    """Takes each picture as it is.

    A picture with several rows of one class gives one row; one with several classes gives none,
    because a list's row has one class.

    Args:
        pictures: where the pictures are, and how the list names them.
    """

    def __init__(self, pictures: Placement) -> None:
        self._pictures = pictures

    def __call__(self, rows: Sequence[NativeRow]) -> list[Outcome]:
        """See `Taker`."""
        path = rows[0].path
        if not os.path.isfile(self._pictures.source / path):  # noqa: PTH113 - millions of them
            return [Missing(rows[0])]
        if len({row.class_key for row in rows}) > 1:
            return [LeftOut("row of a picture that shows several classes; --crop yes takes it")] * (
                len(rows)
            )
        repeated: list[Outcome] = [LeftOut("further box of a whole picture")] * (len(rows) - 1)
        self._pictures.copy(path)
        return [Taken(rows[0], self._pictures.path(path)), *repeated]


class CutOutBoxes:
    """Cuts the boxes out of a picture and writes them as JPEG of quality 95.

    A box is widened by the margin on each side, then to whole pixels, and cut off at the picture's
    edge. A file that is there already is not made again, so a run that was stopped goes on; the
    margin is part of the folder's name, so another margin makes other files.

    Args:
        source: the folder with the pictures.
        output: the folder that paths start from; crops go to ``crops/`` or ``crops_m<percent>/``.
        margin: share of the box's width and height added on each side, 0 or more.
    """

    def __init__(self, source: Path, output: Path, margin: float) -> None:
        self._source, self._output, self._margin = source, output, margin
        self.folder = f"crops_m{100 * margin:g}" if margin else "crops"

    def __call__(self, rows: Sequence[NativeRow]) -> list[Outcome]:
        """See `Taker`."""
        pixels: NDArray[np.uint8] | None = None
        outcomes: list[Outcome] = []
        for row in rows:
            if row.box is None:
                message = f"no box for {row.path}; use --crop no"
                outcomes.append(SourceProblem(row.file, row.line, message))
                continue
            path = self._name(row.path, row.box)
            if self._output.joinpath(path).is_file():
                outcomes.append(Taken(row, path))
                continue
            if pixels is None:
                read = self._read(row)
                if not isinstance(read, np.ndarray):
                    return [*outcomes, read]
                pixels = read
            outcomes.append(self._cut(row, row.box, path, pixels))
        return outcomes

    def _name(self, path: str, box: Box) -> str:
        """The box is in the name: another annotation makes another file."""
        corners = "_".join(f"{corner:g}" for corner in box)
        return f"{self.folder}/{PurePosixPath(path).with_suffix('')}_{corners}.jpg"

    def _read(self, row: NativeRow) -> NDArray[np.uint8] | Missing | SourceProblem:
        picture = self._source / row.path
        if not picture.is_file():
            return Missing(row)
        try:
            return read_rgb(picture)
        except ImageError as error:
            return SourceProblem(row.file, row.line, str(error))

    def _cut(self, row: NativeRow, box: Box, path: str, pixels: NDArray[np.uint8]) -> Outcome:
        height, width = pixels.shape[:2]
        left, top, right, bottom = _whole_pixels(box, self._margin, width, height)
        if left >= right or top >= bottom:
            message = f"the box {tuple(box)} is outside of {row.path}, {width} x {height} pixels"
            return SourceProblem(row.file, row.line, message)
        data = io.BytesIO()
        Image.fromarray(pixels[top:bottom, left:right]).save(data, "JPEG", quality=JPEG_QUALITY)
        storage.write_bytes(self._output / path, data.getvalue())
        return Taken(row, path)


def _whole_pixels(box: Box, margin: float, width: int, height: int) -> tuple[int, int, int, int]:
    wider, higher = margin * (box.right - box.left), margin * (box.bottom - box.top)
    return (
        max(math.floor(box.left - wider), 0),
        max(math.floor(box.top - higher), 0),
        min(math.ceil(box.right + wider), width),
        min(math.ceil(box.bottom + higher), height),
    )
