"""Contrastive loss on cosines."""

from typing import Literal

from paddle import Tensor

from toolkit.config.types import Cosine, Fraction
from toolkit.losses.metric_loss import PairLoss
from toolkit.losses.pairs import sum_over


class ContrastiveLoss(PairLoss):
    """Pulls every positive pair to cosine 1 and pushes negatives that are above a margin.

    For each anchor: the sum of 1 - s over its positives, and of s over the negatives with
    s > margin; the mean over all anchors. On labels of one dimension the value is PaddleClas's;
    that of PaddleClas itself differs, since it compares labels of shape [b, 1] and so counts
    wrong pairs.

    Args:
        margin: cosine above which a negative is pushed, -1 to 1.
        normalize_feature: compare directions; False compares plain inner products.
        epsilon: positives above 1 - epsilon are near enough and left alone.
        feature_from: the network's output to compare.

    Source: Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, 2006, in the
    form on similarities of Wang et al., Cross-Batch Memory for Embedding Learning, 2020.
    """

    def __init__(
        self,
        *,
        margin: Cosine = 0.5,
        normalize_feature: bool = True,
        epsilon: Fraction = 1e-5,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=normalize_feature)
        self.margin, self.epsilon = margin, epsilon

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors of their sums over pairs, a scalar."""
        pull = sum_over(1.0 - measured, positive & (measured < 1.0 - self.epsilon))
        push = sum_over(measured, negative & (measured > self.margin))
        return (pull + push).mean()
