"""A linear map behind a network that stays as it is: a few numbers learnt in seconds.

images -> network -> scaled to length 1 -> minus a mean, times a matrix -> embedding
"""

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from toolkit.models.necks.neck import Neck
from toolkit.models.recognizer import Recognizer

_SMALLEST = 1e-24


class UnitFeatures(nn.Layer):
    """A whole network as the backbone of another one: its embedding, scaled to length 1.

    Args:
        network: without its head.
    """

    def __init__(self, network: Recognizer) -> None:
        super().__init__()
        self.network = network
        self.out_features = network.out_features
        own = network.backbone
        # The names that weight files hold beside the network's own have one more prefix here.
        self.ignored_weights = tuple(f"network.backbone.{name}" for name in own.ignored_weights)
        self.computed_weights = tuple(f"network.backbone.{name}" for name in own.computed_weights)

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to unit vectors [b, out_features]."""
        features = self.network.embed(images)
        squares = (features * features).sum(axis=1, keepdim=True)
        unit: Tensor = features / paddle.sqrt(paddle.clip(squares, min=_SMALLEST))
        return unit

    def re_parameterize(self) -> None:
        """Fuses in place what the network can fuse for deployment."""
        self.network.re_parameterize()


class LinearAdapter(Neck):
    """Turns, cuts and scales unit vectors.

    Args:
        in_features: length of the vectors.
        dimension: length of the embedding.
    """

    def __init__(self, in_features: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", paddle.zeros([in_features]))
        self.linear = nn.Linear(in_features, dimension, bias_attr=False)
        self.out_features = dimension

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_features] to [b, out_features]."""
        embedding: Tensor = self.linear(x - self.mean)
        return embedding

    def set(self, mean: NDArray[np.float32], matrix: NDArray[np.float32]) -> None:
        """Takes over a fitted map: mean [in_features], matrix [in_features, out_features]."""
        self.mean.set_value(mean)
        self.linear.weight.set_value(matrix)
