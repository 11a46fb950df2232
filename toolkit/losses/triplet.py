"""Triplet losses on Euclidean distances: which triplets count is what sets them apart."""

from typing import Literal

import paddle
from paddle import Tensor
from paddle.nn import functional

from toolkit.config.types import NonNegativeFloat
from toolkit.losses.metric_loss import DistanceLoss
from toolkit.losses.pairs import largest, mean_over, smallest

# Smallest square under a root: at 0 the root has no gradient. PaddleClas has the same.
_SMALLEST_SQUARE = 1e-12


class TripletLossV2(DistanceLoss):
    """Asks that a positive is nearer than a negative by a margin, in Euclidean distance.

    Mining ``hard`` takes the farthest positive and the nearest negative of each anchor; the mean
    is over the anchors that have both, and on batches of P classes with K images each the value
    is PaddleClas's, which takes no other batch. Mining ``semi_hard``, which PaddleClas lacks,
    takes every positive pair with the nearest negative that is farther than the positive, or with
    the farthest negative when none is; the mean is over those pairs. It is the gentler one, for
    noisy labels and for a start where the hardest negatives make everything collapse.

    Args:
        margin: by how much the positive has to be nearer; distances of unit vectors are 0 to 2.
        mining: which triplets count.
        normalize_feature: scale every vector to length 1 first.
        feature_from: the network's output to compare.

    Source: hard: Hermans et al., In Defense of the Triplet Loss for Person Re-Identification,
    2017, equation 5. semi_hard: Schroff et al., FaceNet, 2015, equation 4, with the negative
    chosen as in TensorFlow's triplet_semihard_loss.
    """

    def __init__(
        self,
        *,
        margin: NonNegativeFloat = 0.5,
        mining: Literal["hard", "semi_hard"] = "hard",
        normalize_feature: bool = True,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=normalize_feature)
        self.margin, self.mining = margin, mining

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the triplets that were mined, a scalar."""
        distance = measured.clip(min=_SMALLEST_SQUARE).sqrt()
        if self.mining == "hard":
            hinge = functional.relu(
                largest(distance, positive) - smallest(distance, negative) + self.margin
            )
            return mean_over(hinge, positive.any(1) & negative.any(1))
        hinge = functional.relu(distance - _next_negative(distance, negative) + self.margin)
        return mean_over(hinge, positive & negative.any(1, keepdim=True))


class TriHardLoss(DistanceLoss):
    """Batch hard triplets on squared distances of unit vectors.

    The mean over the anchors that have a positive and a negative of
    max(0, farthest positive - nearest negative + margin). The value is PaddleClas's on the one
    layout that it takes: `samples_each_class` rows of a class together.

    Args:
        margin: by how much the positive has to be nearer; squared distances are 0 to 4.
        feature_from: the network's output to compare.

    Source: Hermans et al., In Defense of the Triplet Loss for Person Re-Identification, 2017,
    equation 5.
    """

    def __init__(
        self,
        *,
        margin: NonNegativeFloat = 0.1,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.margin = margin

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that have both kinds of pair, a scalar."""
        hinge = functional.relu(
            largest(measured, positive) - smallest(measured, negative) + self.margin
        )
        return mean_over(hinge, positive.any(1) & negative.any(1))


class MSMLoss(DistanceLoss):
    """Margin sample mining: one quadruplet a batch, on squared distances of unit vectors.

    max(0, the farthest positive pair of all - the nearest negative pair of all + margin). The
    gradient moves four rows at most, so it goes with another loss. The value is PaddleClas's on
    the one layout that it takes: `samples_each_class` rows of a class together.

    Args:
        margin: by how much the positive pair has to be nearer; squared distances are 0 to 4.
        feature_from: the network's output to compare.

    Source: Xiao et al., Margin Sample Mining Loss, 2017, with squared distances.
    """

    def __init__(
        self,
        *,
        margin: NonNegativeFloat = 0.1,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.margin = margin

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the hinge of the hardest two pairs, a scalar; 0 without either kind."""
        hardest = largest(measured, positive).max() - smallest(measured, negative).min()
        return functional.relu(hardest + self.margin)


def _next_negative(distance: Tensor, negative: Tensor) -> Tensor:
    """Returns for each pair [b, n] the nearest negative of the anchor that is farther still.

    Where there is none it is the anchor's farthest negative. Rows without a negative have no
    meaning.
    """
    # Negatives in order and behind them, farther than any, the pairs that are none.
    outside = distance.detach().max() + 1.0
    ordered = paddle.where(negative, distance, paddle.zeros_like(distance) + outside).sort(1)
    found = paddle.searchsorted(ordered.detach(), distance.detach(), right=True)
    last = (negative.astype("int64").sum(1, keepdim=True) - 1).clip(min=0)
    return paddle.take_along_axis(ordered, paddle.where(found < last, found, last), 1)
