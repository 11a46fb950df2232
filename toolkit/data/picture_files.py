"""Pictures in files, as they are before chance comes in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import MAX_PIXELS, DecodeError, read_rgb
from toolkit.data.picture_cache import PictureCache
from toolkit.data.picture_folder import PictureFolder
from toolkit.data.picture_sample import Pictures
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError


class PictureFiles:
    """Pixels by the number of a file: decoded, turned, and through the steps without chance.

    Args:
        paths: the files.
        leading: the steps without chance.
        turns: how many quarter turns of each will be asked for: 1 or 4.
        max_pixels: larger pictures are failures.

    Attributes:
        cache: where what `first_pixels` gives may be found; changes no pixel.
        folder: waited for when a picture cannot be had because all of them are gone.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        leading: Pipeline,
        *,
        turns: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self._paths, self._leading = paths, leading
        self._turns, self._max_pixels = turns, max_pixels
        self.cache: PictureCache | None = None
        self.folder: PictureFolder | None = None

    @property
    def num_files(self) -> int:
        """How many files there are; the same path may come twice."""
        return len(self._paths)

    def give_up_waiting(self) -> None:
        """Ends waiting for pictures that are gone; may be called by a signal's handler."""
        if self.folder is not None:
            self.folder.give_up()

    def pixels(self, row: int, quarter_turns: int = 0) -> NDArray[np.uint8]:
        """Returns the pixels of a file, read-only where they were kept.

        Args:
            row: number of the file.
            quarter_turns: counter-clockwise, before the first step.

        Raises:
            ImageError: it cannot be read; the message begins with the path.
            PicturesGoneError: all pictures are gone and do not come back.
        """
        try:
            return self._pixels(row, quarter_turns)
        except DecodeError:
            raise
        except ImageError:
            if self.folder is None:
                raise
            self.folder.wait()
        return self._pixels(row, quarter_turns)

    def _pixels(self, row: int, quarter_turns: int) -> NDArray[np.uint8]:
        path = self._paths[row]
        kept = None if self.cache is None else self.cache.find(path, quarter_turns)
        return self.first_pixels(path, quarter_turns) if kept is None else kept

    def where(self, row: int) -> str:
        """Returns what messages call a file."""
        return str(self._paths[row])

    def first_pixels(self, path: Path, quarter_turns: int) -> NDArray[np.uint8]:
        """Reads a picture up to the first step that chance has a part in.

        Args:
            path: the file.
            quarter_turns: counter-clockwise, before the first step.

        Raises:
            ImageError: it cannot be read; the message begins with the path.
        """
        pixels = np.rot90(read_rgb(path, max_pixels=self._max_pixels), quarter_turns)
        try:
            # OpenCV takes only arrays that lie in memory row by row. Nothing is drawn here.
            return self._leading(np.ascontiguousarray(pixels), np.random.default_rng(0))
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error

    def pictures(self) -> Pictures:
        """Returns what a cache may keep."""
        distinct = list(dict.fromkeys(self._paths))
        return Pictures(distinct, self._turns, self._leading, self.first_pixels, self._max_pixels)
