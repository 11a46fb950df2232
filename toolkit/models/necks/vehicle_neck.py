"""PaddleClas's neck for vehicles and logos: a linear layer that is stored as a convolution."""

from paddle import Tensor, nn

from toolkit.config.types import PositiveInt
from toolkit.models.necks.neck import Neck


class VehicleNeck(Neck):
    """A 1x1 convolution with bias on the pooled feature.

    It computes what FC computes; its weights have the shape [embedding_size, in_features, 1, 1] and
    the names that PaddleClas's vehicle and logo models have.

    Args:
        in_features: length of the backbone's feature.
        embedding_size: length of the embedding.
    """

    def __init__(self, in_features: PositiveInt, embedding_size: PositiveInt = 512) -> None:
        super().__init__()
        self.conv = nn.Conv2D(in_features, embedding_size, 1)
        self.flatten = nn.Flatten()
        self.out_features = embedding_size

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_features] to [b, out_features]."""
        embedding: Tensor = self.flatten(self.conv(x.unsqueeze([2, 3])))
        return embedding
