"""A margin whose force depends on how far each cosine still has to go."""

from paddle import Tensor
from paddle.nn import functional

from toolkit.config.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from toolkit.models.heads.cosine import CosineHead


class CircleMargin(CosineHead):
    """Cosine classifier that weighs every cosine by its distance from where it should be.

    The true class's cosine s should reach 1 + margin and is weighed by 1 + margin - s; any other
    should reach -margin and is weighed by s + margin, or not at all below that. The weights pass no
    gradient.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        margin: the relaxation m; the decision boundary is a circle of radius m * sqrt(2).
        scale: factor on all logits.
        sample_rate: share of the classes that an update uses, drawn anew each time beside those of
            the batch (Partial FC); below 1 for very many classes.
        sharded: each process holds its part of the classes; for classes that no one has room for.

    Raises:
        ValueError: the rate is 0.

    Source: Sun et al., Circle Loss: A Unified Perspective of Pair Similarity Optimization, 2020,
    section 3, with class-level labels.
    """

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        margin: NonNegativeFloat = 0.35,
        scale: PositiveFloat = 64.0,
        *,
        sample_rate: Fraction = 1.0,
        sharded: bool = False,
    ) -> None:
        super().__init__(in_features, num_classes, scale, sample_rate=sample_rate, sharded=sharded)
        self.margin = margin

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        """Weighs the distance of every cosine from its own margin."""
        now = cosine.detach()
        positive = functional.relu(1.0 + self.margin - now) * (cosine - (1.0 - self.margin))
        negative = functional.relu(now + self.margin) * (cosine - self.margin)
        return one_hot * positive + (1.0 - one_hot) * negative
