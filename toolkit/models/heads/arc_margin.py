"""A margin on the angle, with one direction per class or with several."""

import math

import paddle
from paddle import Tensor

from toolkit.config.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from toolkit.models.heads.cosine import CosineHead

# Keeps the slope of the sine finite where the cosine is 1 or -1; the value is PaddleClas's.
_SINE_EPSILON = 1e-6
# Rounding can make a cosine so much larger than 1 that even that leaves nothing to take a root of.
_SMALLEST_SINE_SQUARE = 1e-8


class ArcMargin(CosineHead):
    """Cosine classifier that makes the true class harder by an angle, while training.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        margin: angle added to the true class's angle, in radians, [0, pi).
        scale: factor on all logits; what a softmax of cosines can reach depends on it.
        easy_margin: add the margin only where the angle is below 90 degrees, instead of
            wherever the sum stays below 180.
        sample_rate: share of the classes that an update uses, drawn anew each time beside those of
            the batch (Partial FC); below 1 for very many classes.
        sharded: each process holds its part of the classes; for classes that no one has room for.

    Raises:
        ValueError: the margin is pi or more, or the rate 0.

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
        sample_rate: Fraction = 1.0,
        sharded: bool = False,
    ) -> None:
        super().__init__(in_features, num_classes, scale, sample_rate=sample_rate, sharded=sharded)
        self.margin, self.easy_margin = _checked(margin), easy_margin

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        """Adds the margin to the true class's angle."""
        shifted = with_angle(cosine, self.margin, easy=self.easy_margin)
        return one_hot * shifted + (1.0 - one_hot) * cosine


class SubCenterArcMargin(CosineHead):
    """ArcMargin with several directions per class, of which the nearest counts.

    For classes of more than one look, and for labels with mistakes: what does not belong gathers
    around a direction of its own instead of bending the class. With one direction it is ArcMargin.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        margin: angle added to the true class's angle, in radians, [0, pi).
        scale: factor on all logits.
        sub_centers: directions per class; those of class c are the columns ``c * sub_centers``
            to ``(c + 1) * sub_centers - 1`` of the weight.

    Raises:
        ValueError: the margin is pi or more.

    Source: Deng et al., Sub-center ArcFace: Boosting Face Recognition by Large-Scale Noisy Web
    Faces, 2020, section 3.
    """

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        margin: NonNegativeFloat = 0.2,
        scale: PositiveFloat = 30.0,
        *,
        sub_centers: PositiveInt = 3,
    ) -> None:
        super().__init__(in_features, num_classes, scale, columns=num_classes * sub_centers)
        self.margin, self.sub_centers = _checked(margin), sub_centers

    def cosines(self, features: Tensor) -> Tensor:
        """Returns each embedding's cosine with the nearest direction of each class."""
        every = super().cosines(features).reshape([-1, self.sub_centers])
        # Not max(1), whose gradient takes ten times as long on a CPU.
        nearest = paddle.index_sample(every, every.detach().argmax(1, keepdim=True))
        return nearest.reshape([-1, self.num_classes])

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        """Adds the margin to the angle with the true class's nearest direction."""
        return one_hot * with_angle(cosine, self.margin) + (1.0 - one_hot) * cosine


def with_angle(cosine: Tensor, margin: float, *, easy: bool = False) -> Tensor:
    """Returns cos(angle + margin), continued so that it falls with the angle everywhere.

    Args:
        cosine: of the angle, any shape.
        margin: in radians.
        easy: leave angles of 90 degrees and more as they are, instead of the continuation.
    """
    square = paddle.clip(1.0 - cosine * cosine + _SINE_EPSILON, min=_SMALLEST_SINE_SQUARE)
    shifted = cosine * math.cos(margin) - square.sqrt() * math.sin(margin)
    if easy:
        return paddle.where(cosine > 0.0, shifted, cosine)
    beyond = cosine - math.sin(margin) * margin
    return paddle.where(cosine > -math.cos(margin), shifted, beyond)


def _checked(margin: float) -> float:
    if not 0 <= margin < math.pi:
        raise ValueError(f"margin is an angle in radians from 0 to below pi; got {margin}.")
    return margin
