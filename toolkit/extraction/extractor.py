"""What computes features, as the workers see it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from toolkit.data.jpeg import Target
from toolkit.data.sources import Source
from toolkit.inference.pipeline import Outcome


@dataclass(frozen=True)
class Extractor:
    """A model that is ready.

    Attributes:
        features: pictures to outcomes, in order; a picture's place decides on its batch.
        target: what pictures will be resized to, for a decoder that may shrink them; or None.
        varying: features are of different lengths, as pictures as they are.
    """

    features: Callable[[Iterable[Source]], Iterator[Outcome]]
    target: Target | None
    varying: bool = False
