"""Several views of a picture at once, for training without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError, ImageError


class PixelSource(Protocol):
    """Pictures by number, as they are before chance comes in."""

    @property
    def num_files(self) -> int:
        """How many there are."""

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """Returns RGB [h, w, 3]; raises ImageError, whose message says which picture it is."""

    def where(self, row: int) -> str:
        """Returns what messages call a picture."""


@dataclass(frozen=True)
class ViewKind:
    """One way to look at a picture.

    Attributes:
        transforms: from pixels to a tensor; all views of the kind have one size.
        count: how many views are drawn.
    """

    transforms: Pipeline
    count: int


@dataclass(frozen=True, slots=True)
class ViewItem:
    """The views of one picture, or the reason why there are none.

    Attributes:
        views: in the order of the kinds, float32 [3, h, w] each; None when it cannot be read.
        index: number of the picture.
        failure: "path: reason" when `views` is None, else None.
    """

    views: list[NDArray[np.float32]] | None
    index: int
    failure: str | None


class ViewBatch(NamedTuple):
    """The views of one step; b counts the pictures that could be read.

    Attributes:
        images: the views grouped by size, in the order in which sizes come up: float32
            [b, views of the size, 3, h, w] each.
        labels: int64 [b], -1 each: nothing is known.
        indices: numbers of the pictures, int64 [b].
        failures: "path: reason" of every picture that could not be read.
    """

    images: tuple[NDArray[np.float32], ...]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    failures: list[str]


class ViewDataset:
    """Views of pictures by (epoch, index): always the same, in any process and any order.

    What is random is drawn from a generator that depends on (seed, epoch, index) and on nothing
    else; each view draws on from where the one before it stopped. A picture that cannot be read is
    an item with a failure, never another picture in its place.

    Args:
        source: the pictures.
        kinds: the views of each.
        seed: of the draws, 0 or more.
    """

    def __init__(self, source: PixelSource, kinds: Sequence[ViewKind], *, seed: int) -> None:
        self.source = source
        self._views = [kind.transforms for kind in kinds for _ in range(kind.count)]
        self._seed = seed

    def __len__(self) -> int:
        return self.source.num_files

    def __getitem__(self, key: tuple[int, int]) -> ViewItem:
        """Reads one picture and draws its views.

        Args:
            key: (epoch, index), both from 0.
        """
        epoch, index = key
        try:
            pixels = self.source.pixels(index)
        except ImageError as error:
            return ViewItem(None, index, str(error))
        rng = np.random.default_rng([self._seed, epoch, index])
        try:
            return ViewItem([transforms(pixels, rng) for transforms in self._views], index, None)
        except ImageError as error:
            return ViewItem(None, index, f"{self.source.where(index)}: {error}")

    def batch(self, keys: Sequence[tuple[int, int]]) -> ViewBatch:
        """Reads several pictures; see `collate_views`."""
        return collate_views([self[key] for key in keys])


def collate_views(items: Sequence[ViewItem]) -> ViewBatch:
    """Stacks the views of the pictures that could be read, and lists the failures of the others.

    Returns:
        A batch; when no picture could be read it has no arrays.

    Raises:
        ConfigError: a view has another size for one picture than for another.
    """
    read = [item for item in items if item.views is not None]
    views = [item.views for item in items if item.views is not None]
    shapes = {tuple(view.shape for view in of_one) for of_one in views}
    if len(shapes) > 1:
        raise ConfigError(
            "The views of one kind differ in size from picture to picture, so they cannot form a "
            "batch. End each kind of SelfSup.views with a crop or a resize of one size."
        )
    order = [shape for of_one in shapes for shape in dict.fromkeys(of_one)]
    return ViewBatch(
        images=tuple(
            np.stack([[view for view in of_one if view.shape == shape] for of_one in views])
            for shape in order
        ),
        labels=np.full(len(read), -1, dtype=np.int64),
        indices=np.array([item.index for item in read], dtype=np.int64),
        failures=[item.failure for item in items if item.failure is not None],
    )
