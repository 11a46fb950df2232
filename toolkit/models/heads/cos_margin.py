"""A margin on the cosine."""

from paddle import Tensor

from toolkit.config.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from toolkit.models.heads.cosine import CosineHead


class CosMargin(CosineHead):
    """Cosine classifier that takes a margin from the true class's cosine, while training.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        margin: taken from the true class's cosine.
        scale: factor on all logits.
        sample_rate: share of the classes that an update uses, drawn anew each time beside those of
            the batch (Partial FC); below 1 for very many classes.
        sharded: each process holds its part of the classes; for classes that no one has room for.

    Raises:
        ValueError: the rate is 0.

    Source: Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, 2018,
    equation 4.
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
        """Takes the margin from the true class's cosine."""
        return cosine - self.margin * one_hot
