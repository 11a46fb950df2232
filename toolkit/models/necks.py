"""Necks: what turns a backbone's feature into the embedding.

The embedding of a recognition model is its neck's output, or the backbone's when it has no neck.
Parameter names are PaddleClas's.
"""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import Constant, XavierNormal

from toolkit.config.types import PositiveInt


class FC(nn.Layer):
    """A linear layer with bias: chooses the length of the embedding.

    Args:
        in_features: length of the backbone's feature.
        embedding_size: length of the embedding.

    Attributes:
        out_features: length of the embedding.
    """

    def __init__(self, in_features: PositiveInt, embedding_size: PositiveInt = 512) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, embedding_size, weight_attr=XavierNormal())
        self.out_features = embedding_size

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_features] to [b, out_features]."""
        embedding: Tensor = self.fc(x)
        return embedding


class BNNeck(nn.Layer):
    """Batch norm between the feature and a classifier, for training with both kinds of loss.

    A softmax loss separates directions, a triplet loss distances; scaled by batch norm the same
    feature can serve both. Choose it with an FC head without bias.

    Args:
        in_features: length of the backbone's feature.
        freeze_bias: keep the bias at zero, so that the classes' hyperplanes pass through the
            origin and cosine similarity means at test time what it meant in training. PaddleClas
            means to do the same; its configurations end up with a learning rate of 1e-20.

    Attributes:
        out_features: length of the embedding, `in_features`.

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
