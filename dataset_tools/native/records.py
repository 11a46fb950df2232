"""What a reader of native annotations yields, and what is known of a dataset."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from toolkit.data.convert import SourceProblem


class Box(NamedTuple):
    """A rectangle in pixels: from (left, top) up to and without (right, bottom)."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class NativeRow:
    """One thing that a dataset shows, and where.

    Attributes:
        path: the picture, from the dataset's folder on, with slashes.
        class_key: the dataset's own name of the class.
        lists: the lists that the row belongs to: of train, gallery, query.
        file: the annotation that says so.
        line: the line in it, from 1; None where a file is one annotation.
        box: where in the picture, when the dataset says so.
        camera: the camera, when the dataset says so.
    """

    path: str
    class_key: str
    lists: tuple[str, ...]
    file: Path
    line: int | None = None
    box: Box | None = None
    camera: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is left out on purpose; counted by its reason."""

    reason: str


Item = NativeRow | LeftOut | SourceProblem
"""What a reader yields. A `SourceProblem` is a row that breaks the format."""


@dataclass(frozen=True)
class NativeDataset:
    """A dataset whose native layout can be read.

    Attributes:
        name: as PaddleClas writes it; the value of ``--from``.
        read: (folder, variant) -> its rows; the rows of a picture follow one another.
        variants: what can be chosen, the default first; empty when there is no choice.
        has_boxes: whether the annotations hold boxes.
        crops: whether the boxes are cut out unless asked otherwise.
    """

    name: str
    read: Callable[[Path, str], Iterator[Item]]
    variants: tuple[str, ...] = ()
    has_boxes: bool = False
    crops: bool = False

    @property
    def variant(self) -> str:
        """The default variant; empty when there is no choice."""
        return self.variants[0] if self.variants else ""
