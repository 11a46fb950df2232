"""Heads: what turns an embedding into one logit per training class.

A head is needed only while training. Parameter names are PaddleClas's.
"""

import math
from typing import Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import Normal, XavierNormal

from toolkit.config.types import NonNegativeFloat, PositiveFloat, PositiveInt

# Below this squared length a vector has no direction worth the name.
_SMALLEST_SQUARE = 1e-12
# Keeps the slope of the sine finite where the cosine is 1 or -1; the value is PaddleClas's.
_SINE_EPSILON = 1e-6
# Rounding can make a cosine so much larger than 1 that even that leaves nothing to take a root of.
_SMALLEST_SINE_SQUARE = 1e-8


class FC(nn.Layer):
    """A linear classifier.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        bias: add a learned number per class; switch it off behind a BNNeck.
        initializer: how the weights start; ``normal`` has mean 0 and deviation `std`.
        std: standard deviation of ``normal``.
    """

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        *,
        bias: bool = True,
        initializer: Literal["xavier_normal", "normal"] = "xavier_normal",
        std: PositiveFloat = 0.001,
    ) -> None:
        super().__init__()
        start = Normal(0.0, std) if initializer == "normal" else XavierNormal()
        bias_attr = None if bias else False
        self.fc = nn.Linear(in_features, num_classes, weight_attr=start, bias_attr=bias_attr)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Maps [b, in_features] to logits [b, num_classes]; every head takes labels."""
        logits: Tensor = self.fc(features)
        return logits


class ArcMargin(nn.Layer):
    """Cosine classifier that makes the true class harder by an angle, while training.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        margin: angle added to the true class's angle, in radians, [0, pi).
        scale: factor on all logits; what a softmax of cosines can reach depends on it.
        easy_margin: add the margin only where the angle is below 90 degrees, instead of
            wherever the sum stays below 180.

    Raises:
        ValueError: the margin is pi or more.

    Source: Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, 2019,
    equation 3; the linear continuation beyond 180 degrees is that of the authors' code.
    """

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        margin: NonNegativeFloat = 0.2,
        scale: PositiveFloat = 30.0,
        *,
        easy_margin: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= margin < math.pi:
            raise ValueError(f"margin is an angle in radians from 0 to below pi; got {margin}.")
        self.margin, self.scale, self.easy_margin = margin, scale, easy_margin
        self.num_classes = num_classes
        self.weight = self.create_parameter(
            [in_features, num_classes], default_initializer=XavierNormal()
        )

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Maps [b, in_features] to [b, num_classes].

        Args:
            features: embeddings [b, in_features], of any length; only their direction counts.
            labels: true classes [b], int64.

        Returns:
            Scaled logits with the margin; plain cosines, unscaled, when not training or without
            labels.
        """
        cosine = _unit(features, axis=1) @ _unit(self.weight, axis=0)  # [b, num_classes]
        if labels is None or not self.training:
            return cosine
        one_hot = functional.one_hot(labels, self.num_classes).astype(cosine.dtype)
        return self.scale * (one_hot * self._with_margin(cosine) + (1.0 - one_hot) * cosine)

    def _with_margin(self, cosine: Tensor) -> Tensor:
        """Returns cos(angle + margin), continued so that it falls with the angle everywhere."""
        square = paddle.clip(1.0 - cosine * cosine + _SINE_EPSILON, min=_SMALLEST_SINE_SQUARE)
        sine = square.sqrt()
        shifted = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        if self.easy_margin:
            return paddle.where(cosine > 0.0, shifted, cosine)
        beyond = cosine - math.sin(self.margin) * self.margin
        return paddle.where(cosine > -math.cos(self.margin), shifted, beyond)


def _unit(vectors: Tensor, axis: int) -> Tensor:
    """Scales vectors to length 1; one of (nearly) zero length stays, with a harmless gradient."""
    square = (vectors * vectors).sum(axis, keepdim=True)
    return (
        vectors / paddle.where(square > _SMALLEST_SQUARE, square, paddle.ones_like(square)).sqrt()
    )
