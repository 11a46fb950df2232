"""Pooling between the mean and the maximum."""

from typing import ClassVar, Literal

import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import Constant, XavierNormal
from paddle.regularizer import L2Decay

from toolkit.config.types import PositiveFloat, PositiveInt
from toolkit.models.necks.neck import Neck, mean_of_map

# What is not positive has no power; the value is that of the authors' code.
_SMALLEST = 1e-6


class GeM(Neck):
    """Generalised mean of each channel of the backbone's last map, then a linear layer if asked.

    The mean of the powers p, and of that the p-th root: 1 is the mean over the places, and a large
    p comes near the maximum, so that a small object is not averaged away. It stands in place of the
    backbone's own pooling and of what the backbone has after that.

    Args:
        in_features: channels of the backbone's last map.
        embedding_size: length of the embedding; None keeps one value per channel.
        p: the power to start from.
        trainable: learn the power; False keeps it.

    Source: Radenovic et al., Fine-tuning CNN Image Retrieval with No Human Annotation, 2018,
    equation 3.
    """

    reads: ClassVar[Literal["feature", "last_map", "maps"]] = "last_map"

    def __init__(
        self,
        in_features: PositiveInt,
        embedding_size: PositiveInt | None = None,
        *,
        p: PositiveFloat = 3.0,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        # Decay would pull the power towards 0, where there is no mean.
        own = paddle.ParamAttr(initializer=Constant(p), regularizer=L2Decay(0.0))
        self.p = self.create_parameter([1], attr=own)
        self.p.stop_gradient = not trainable
        self.fc = (
            nn.Identity()
            if embedding_size is None
            else nn.Linear(in_features, embedding_size, weight_attr=XavierNormal())
        )
        self.out_features = embedding_size or in_features

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_features, h, w] to [b, out_features]."""
        places = x.clip(min=_SMALLEST)
        # The mean has degree 1: dividing by the largest value first and multiplying by it last
        # changes nothing, except that no power of any p leaves the range of the numbers.
        largest = places.max([2, 3], keepdim=True).detach()
        mean = mean_of_map(paddle.pow(places / largest, self.p))
        embedding: Tensor = self.fc(largest.squeeze([2, 3]) * paddle.pow(mean, 1.0 / self.p))
        return embedding
