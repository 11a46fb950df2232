"""Packed pictures as pixels, for training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import decode
from toolkit.data.packing.reading import PackedPictures
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError, RecordError


class PackedPixels:
    """Pixels by the number of a picture in TFRecord files or tar shards.

    Args:
        files: in their order, see `PackedPictures`.
        leading: the steps without chance.

    Raises:
        RecordError: a file or its index is missing, or they do not fit.
    """

    def __init__(self, files: Sequence[Path], leading: Pipeline) -> None:
        self._files, self._leading = list(files), leading
        self._pictures = PackedPictures(self._files)

    @property
    def num_files(self) -> int:
        """How many pictures there are."""
        return len(self._pictures)

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """Returns the pixels of a picture.

        Raises:
            ImageError: the record is damaged or its picture cannot be decoded; the message says
                which.
        """
        try:
            pixels = decode(self._pictures[row].encoded).pixels
            return self._leading(pixels, np.random.default_rng(0))
        except (ImageError, RecordError) as error:
            raise ImageError(f"{self.where(row)}: {error}") from error

    def where(self, row: int) -> str:
        """Returns what messages call a picture."""
        return f"picture {row} of {self._files[0]}{' and others' * (len(self._files) > 1)}"
