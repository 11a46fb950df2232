"""N-pairs loss: each anchor has to find its positive among those of the other classes."""

from typing import Literal

import paddle
from paddle import Tensor

from toolkit.config.types import NonNegativeFloat
from toolkit.losses.metric_loss import MetricLoss
from toolkit.losses.pairs import log_sum_exp, mean_over, sum_over


class NpairsLoss(MetricLoss):
    """Softmax cross entropy of an anchor's inner products with one positive of every pair.

    The rows of a class are paired in the order in which they stand: the first and second are
    anchor and positive, the third and fourth, and so on; a row left over counts for nothing. Two
    pairs of one class are no negatives of each other. With exactly two rows a class, next to each
    other, the value is PaddleClas's; with more, PaddleClas takes pairs of one class for negatives.
    Which row is an anchor depends on the order of the batch, and so does the value.

    Args:
        reg_lambda: half of it times the mean squared length of the paired rows is added, since
            the vectors are not scaled.
        feature_from: the network's output to compare.

    Source: Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, 2016:
    the loss named N-pair-mc, and its penalty on the lengths.
    """

    def __init__(
        self,
        *,
        reg_lambda: NonNegativeFloat = 0.01,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=False)
        self.reg_lambda = reg_lambda

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the mean over the anchors, a scalar; 0 without any pair."""
        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        # The place of a row among the rows of its class, from 0.
        place = paddle.tril(same.astype("int64"), diagonal=-1).sum(1)
        follows = place.unsqueeze(0) == place.unsqueeze(1) + 1
        pairs = same & follows & (place % 2 == 0).unsqueeze(1)  # [anchor, positive]
        is_anchor, is_positive = pairs.any(1), pairs.any(0)

        products = vectors @ vectors.T
        choices = pairs | (~same & is_positive.unsqueeze(0))
        entropy = log_sum_exp(products, choices) - sum_over(products, pairs)
        lengths = mean_over((vectors * vectors).sum(1), is_anchor | is_positive)
        return mean_over(entropy, is_anchor) + 0.5 * self.reg_lambda * lengths
