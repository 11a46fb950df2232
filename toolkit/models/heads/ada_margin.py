"""A margin that follows the quality of the picture, told by the length of its embedding."""

import math
from typing import ClassVar

import paddle
from paddle import Tensor
from paddle.nn.initializer import Uniform

from toolkit.config.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from toolkit.distributed.shares import gather_rows
from toolkit.models.heads.cosine import CosineHead, unit

# All four values are PaddleClas's.
_EPSILON = 1e-3
_LONGEST = 100.0
_START_MEAN, _START_DEVIATION = 20.0, 100.0


class AdaMargin(CosineHead):
    """Cosine classifier with a larger margin for good pictures and a smaller one for bad ones.

    How good a picture is, is told by its embedding's length z, normalised by mean and deviation:
    the angle of the true class grows by -m * z, and m + m * z is taken from its cosine.

    Two defects of PaddleClas are not repeated. Without labels or in evaluation its head cannot run
    (or, in the wheel, returns the embedding); this one gives plain cosines. A batch of one picture
    makes its deviation NaN; here it leaves the deviation as it was.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        m: the margin.
        h: length that the quality has at one deviation from the mean; it is cut at -1 and 1.
        s: factor on all logits.
        t_alpha: share of the batch's statistics in the running ones; 1 keeps no history.

    Source: Kim et al., AdaFace: Quality Adaptive Margin for Face Recognition, 2022, section
    3; PaddleClas 2.6.0 for names, defaults and the limits.
    """

    weight_name: ClassVar[str] = "kernel"

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        *,
        m: NonNegativeFloat = 0.4,
        h: PositiveFloat = 0.333,
        s: PositiveFloat = 64.0,
        t_alpha: Fraction = 1.0,
    ) -> None:
        super().__init__(in_features, num_classes, scale=s)
        self.m, self.h, self.t_alpha = m, h, t_alpha
        # Directions without a preference for any class: unit vectors drawn from a cube.
        with paddle.no_grad():
            Uniform(-1.0, 1.0)(self.kernel)
            self.kernel.set_value(unit(self.kernel, axis=0))
        # Nothing reads `t`; official files have it.
        self.register_buffer("t", paddle.zeros([1]))
        self.register_buffer("batch_mean", paddle.full([1], _START_MEAN))
        self.register_buffer("batch_std", paddle.full([1], _START_DEVIATION))

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:
        """Turns the true class's angle and lowers its cosine, by the picture's quality."""
        quality = self._quality(features)
        inside = paddle.clip(cosine, -1.0 + _EPSILON, 1.0 - _EPSILON)
        angle = paddle.acos(inside) - self.m * quality * one_hot
        turned = paddle.cos(paddle.clip(angle, _EPSILON, math.pi - _EPSILON))
        return turned - (self.m + self.m * quality) * one_hot

    @paddle.no_grad()
    def _quality(self, features: Tensor) -> Tensor:
        """Returns the normalised lengths [b, 1], in [-1, 1], and moves the statistics."""
        lengths = (features * features).sum(1, keepdim=True).sqrt().clip(_EPSILON, _LONGEST)
        every = gather_rows(lengths)
        self._move(self.batch_mean, every.mean())
        if every.shape[0] > 1:
            self._move(self.batch_std, every.std())
        normalised = (lengths - self.batch_mean) / (self.batch_std + _EPSILON)
        return paddle.clip(normalised * self.h, -1.0, 1.0)

    def _move(self, running: Tensor, value: Tensor) -> None:
        running.set_value(self.t_alpha * value + (1.0 - self.t_alpha) * running)
