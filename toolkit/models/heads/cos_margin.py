"""A margin on the cosine."""

from paddle import Tensor

from toolkit.config.types import NonNegativeFloat, PositiveFloat, PositiveInt
from toolkit.models.heads.cosine import CosineHead


class CosMargin(CosineHead):
    """Cosine classifier that takes a margin from the true class's cosine, while training.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        margin: taken from the true class's cosine.
        scale: factor on all logits.

    Source: Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, 2018,
    equation 4.
    """

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        margin: NonNegativeFloat = 0.35,
        scale: PositiveFloat = 64.0,
    ) -> None:
        super().__init__(in_features, num_classes, scale)
        self.margin = margin

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        """Takes the margin from the true class's cosine."""
        return cosine - self.margin * one_hot
