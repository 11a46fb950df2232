"""Ensemble metric learning loss: a smooth count of the negatives that come before positives."""

import math
from typing import Literal

from paddle import Tensor
from paddle.nn import functional

from toolkit.losses.metric_loss import DistanceLoss
from toolkit.losses.pairs import log_sum_exp, mean_over

# PaddleClas's beta: how much nearer to a count of zero and one the smooth count is.
_BETA = 1e5


class EmlLoss(DistanceLoss):
    """log(1 + beta x) / log(1 + beta) with x the mean of exp(positive - negative) of an anchor.

    Positive and negative are squared distances of vectors that are not scaled, and the mean is
    over all their combinations; the loss is the mean over the anchors that have both. It is
    written as softplus of a difference of logarithms, which no distance overflows. The value is
    PaddleClas's on the one layout that it takes: `samples_each_class` rows of a class together.

    Args:
        feature_from: the network's output to compare.

    Source: Huang et al., Large Scale Strongly Supervised Ensemble Metric Learning, 2012
    (arXiv 1212.6094), with the surrogate of PaddleClas (beta 1e5).
    """

    def __init__(self, *, feature_from: Literal["features", "backbone"] = "features") -> None:
        super().__init__(feature_from, normalize=False)

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that have both kinds of pair, a scalar."""
        farthest = _log_mean_exp(measured, positive)
        nearest = _log_mean_exp(-measured, negative)
        surrogate = functional.softplus(farthest + nearest + math.log(_BETA))
        return mean_over(surrogate / math.log1p(_BETA), positive.any(1) & negative.any(1))


def _log_mean_exp(values: Tensor, pairs: Tensor) -> Tensor:
    count = pairs.astype(values.dtype).sum(1)
    return log_sum_exp(values, pairs) - count.clip(min=1.0).log()
