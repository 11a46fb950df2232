"""From a row of a list to a tensor, in any process and any order, always the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import MAX_PIXELS
from toolkit.data.picture_files import PictureFiles
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError, ImageError

_QUARTER_TURNS = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One picture, ready for the network, or the reason why there is none.

    Attributes:
        image: float32 [3, h, w], or None.
        label: class index.
        index: place in the dataset.
        failure: "path: reason" when `image` is None, else None.
    """

    image: NDArray[np.float32] | None
    label: int
    index: int
    failure: str | None


class Batch(NamedTuple):
    """Pictures of one step; b counts those that could be read.

    Attributes:
        images: float32 [b, 3, h, w].
        labels: class indices, int64 [b].
        indices: places in the dataset, int64 [b].
        failures: "path: reason" of every picture that could not be read.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    failures: list[str]


class ImageDataset(PictureFiles):
    """Pictures with labels, by (epoch, index).

    What is random in the transforms is drawn from a generator that depends on (seed, epoch, index)
    and on nothing else, so neither workers nor order nor a resumed run change a single pixel. A
    picture that cannot be read is an item with a failure, never another picture in its place.

    Args:
        paths: the files.
        labels: class index of each file.
        transforms: from pixels to a float tensor.
        seed: of the draws, 0 or more.
        rotate_classes: take every class four times, turned counter-clockwise by 0, 90, 180 and 270
            degrees: index 4 i + k is file i turned k times, with label 4 labels[i] + k. Drawings
            that mean something else when they are turned then give four times the classes.
        max_pixels: larger pictures are failures.

    Raises:
        ValueError: paths and labels differ in number, the seed is negative, or the transforms do
            not end in a tensor.

    Source:
        Turned classes: Santoro et al., "Meta-Learning with Memory-Augmented Neural Networks", 2016,
        section 4.1.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        labels: Sequence[int],
        transforms: Pipeline,
        *,
        seed: int,
        rotate_classes: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if len(paths) != len(labels):
            raise ValueError(f"there are {len(paths)} paths and {len(labels)} labels.")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must be 0 or more.")
        if transforms.gives != "tensor":
            raise ValueError(
                f"the transforms end with {transforms.gives}; they must end with "
                "NormalizeImage and ToCHWImage."
            )
        leading, self._rest = transforms.without_chance_first()
        turns = _QUARTER_TURNS if rotate_classes else 1
        super().__init__(paths, leading, turns=turns, max_pixels=max_pixels)
        self._seed = seed
        rows = np.asarray(labels, dtype=np.int64)
        self.labels: NDArray[np.int64] = (rows[:, np.newaxis] * turns + np.arange(turns)).ravel()
        """Class index of each item, int64 [len(self)]; what a sampler is built on."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Reads one picture.

        Args:
            key: (epoch, index), both from 0.
        """
        epoch, index = key
        row, quarter_turns = divmod(index, self._turns)
        label = int(self.labels[index])
        try:
            pixels = self.pixels(row, quarter_turns)
        except ImageError as error:
            return Item(None, label, index, str(error))
        try:
            image = self._rest(pixels, np.random.default_rng([self._seed, epoch, index]))
        except ImageError as error:
            return Item(None, label, index, f"{self.where(row)}: {error}")
        return Item(image, label, index, None)

    def batch(self, keys: Sequence[tuple[int, int]]) -> Batch:
        """Reads several pictures; see `collate`."""
        return collate([self[key] for key in keys])


def collate(items: Sequence[Item]) -> Batch:
    """Stacks the pictures that could be read, in order, and lists the failures of the others.

    Returns:
        A batch; when no picture could be read its arrays are empty: images [0, 3, 0, 0].

    Raises:
        ConfigError: the pictures differ in size, so they cannot go into one array.
    """
    images = [item.image for item in items if item.image is not None]
    read = [item for item in items if item.image is not None]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{width} x {height}" for _, height, width in shapes))
        raise ConfigError(
            f"The transforms give pictures of different sizes ({sizes}), which cannot form "
            "a batch. Add a ResizeImage or a crop with one size to Data."
        )
    return Batch(
        images=np.stack(images) if images else np.empty((0, 3, 0, 0), dtype=np.float32),
        labels=np.array([item.label for item in read], dtype=np.int64),
        indices=np.array([item.index for item in read], dtype=np.int64),
        failures=[item.failure for item in items if item.failure is not None],
    )
