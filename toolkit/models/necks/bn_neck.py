"""Batch norm as a neck."""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import Constant

from toolkit.config.types import PositiveInt
from toolkit.models.necks.neck import Neck


class BNNeck(Neck):
    """Batch norm between the feature and a classifier, for training with both kinds of loss.

    A softmax loss separates directions, a triplet loss distances; scaled by batch norm the same
    feature can serve both. Choose it with an FC head without bias.

    Args:
        in_features: length of the backbone's feature, and of the embedding.
        freeze_bias: keep the bias at zero, so that the classes' hyperplanes pass through the
            origin and cosine similarity means at test time what it meant in training. PaddleClas
            means to do the same; its configurations end up with a learning rate of 1e-20.

    Source: Luo et al., Bag of Tricks and a Strong Baseline for Deep Person Re-identification,
    2019, section 3.5.
    """

    def __init__(self, in_features: PositiveInt, *, freeze_bias: bool = True) -> None:
        super().__init__()
        norm = _FixedBiasBatchNorm if freeze_bias else nn.BatchNorm1D
        self.feat_bn = norm(
            in_features,
            bias_attr=paddle.ParamAttr(initializer=Constant(0.0), trainable=not freeze_bias),
        )
        self.out_features = in_features

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_features] to [b, in_features]."""
        embedding: Tensor = self.feat_bn(x)
        return embedding


class _FixedBiasBatchNorm(nn.BatchNorm1D):
    """Batch norm that trains its weight and not its bias.

    Paddle's kernel computes the gradient of the weight only together with that of the bias: with
    a bias that needs none the weight gets none either, silently. So in training a stand-in takes
    the bias's gradient.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is Paddle's.
        if not self.training or self.bias is None:
            return super().forward(input)
        bias = self.bias.detach()
        bias.stop_gradient = False
        return functional.batch_norm(
            input,
            self._mean,
            self._variance,
            weight=self.weight,
            bias=bias,
            training=True,
            momentum=self._momentum,
            epsilon=self._epsilon,
        )
