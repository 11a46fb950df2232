"""Steps one after the other."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.jpeg import Target
from toolkit.data.transforms.geometry import ResizeImage
from toolkit.data.transforms.transform import FixedTransform, Form, Transform


class Pipeline:
    """Applies steps in order, from uint8 RGB pixels [h, w, 3] on.

    Args:
        transforms: the steps.

    Attributes:
        gives: the form of what comes out.

    Raises:
        ValueError: a step stands where it is given a form that it cannot take.

    Example:
        >>> pipeline = Pipeline([ResizeImage(224), NormalizeImage(), ToCHWImage()])
        >>> pipeline(pixels, np.random.default_rng(0)).shape
        (3, 224, 224)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = tuple(transforms)
        self.gives: Form = "pixels"
        before = "the decoder"
        for transform in self.transforms:
            name = type(transform).__name__
            if self.gives not in transform.takes:
                raise ValueError(
                    f"{name} takes {' or '.join(transform.takes)} and stands behind {before}, "
                    f"which gives {self.gives} (pixels: bytes; values: from NormalizeImage on; "
                    "tensor: from ToCHWImage on). Change the order."
                )
            if transform.gives is not None:
                self.gives, before = transform.gives, name

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns what the last step returns."""
        for transform in self.transforms:
            image = transform(image, rng)
        return image

    def geometry(self) -> "Pipeline":
        """Returns the steps that move bytes, without those from NormalizeImage on.

        A network that takes bytes does the others itself.
        """
        return Pipeline(
            list(takewhile(lambda step: step.gives in (None, "pixels"), self.transforms))
        )

    def without_chance_first(self) -> "tuple[Pipeline, Pipeline]":
        """Returns the first steps, as far as they give the same bytes every time, and the rest."""
        leading = list(takewhile(_keeps_pixels, self.transforms))
        return Pipeline(leading), Pipeline(self.transforms[len(leading) :])

    def target(self) -> Target | None:
        """Returns the size rule of the resize that comes first; None when another step does.

        A decoder that knows it need not give more pixels than the resize can use.
        """
        first = self.transforms[0] if self.transforms else None
        return first.target_size if isinstance(first, ResizeImage) else None

    def describe(self) -> list[dict[str, dict[str, Any]]]:
        """Returns one {name: options} a step, with every default written out."""
        return [{type(step).__name__: step.options()} for step in self.transforms]

    def __repr__(self) -> str:
        return f"Pipeline({list(self.transforms)!r})"


def _keeps_pixels(step: Transform) -> bool:
    """Whether a step without chance gives bytes again."""
    return isinstance(step, FixedTransform) and step.gives in (None, "pixels")
