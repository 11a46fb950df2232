"""A linear layer to the embedding."""

from paddle import Tensor, nn
from paddle.nn.initializer import XavierNormal

from toolkit.config.types import PositiveInt
from toolkit.models.necks.neck import Neck


class FC(Neck):
    """A linear layer with bias: chooses the length of the embedding.

    Args:
        in_features: length of the backbone's feature.
        embedding_size: length of the embedding.
    """

    def __init__(self, in_features: PositiveInt, embedding_size: PositiveInt = 512) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, embedding_size, weight_attr=XavierNormal())
        self.out_features = embedding_size

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_features] to [b, out_features]."""
        embedding: Tensor = self.fc(x)
        return embedding
