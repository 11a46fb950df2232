"""Losses on all pairs of an anchor at once, each pair weighted by how hard it is."""

from typing import Literal

from paddle import Tensor
from paddle.nn import functional

from toolkit.config.types import Cosine, Fraction, NonNegativeFloat, PositiveFloat
from toolkit.losses.metric_loss import PairLoss
from toolkit.losses.pairs import largest, log_sum_exp, mean_over, smallest


class PairwiseCosface(PairLoss):
    """Every negative of an anchor has to stay a margin below every positive, in cosine.

    softplus(log sum exp(-gamma s_p) + log sum exp(gamma (s_n + margin))), the mean over the
    anchors that have both kinds of pair. Where all have, the value is PaddleClas's; an anchor
    that lacks one counts as a loss of 0 there.

    Args:
        margin: by how much the positive has to win, in cosine (0 to 2).
        gamma: scale of the cosines; larger looks harder at the hardest pairs.
        feature_from: the network's output to compare.

    Source: Sun et al., Circle Loss, 2020, equation 1 (the unified loss) on pairs.
    """

    def __init__(
        self,
        *,
        margin: NonNegativeFloat = 0.35,
        gamma: PositiveFloat = 64.0,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.margin, self.gamma = margin, gamma

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that have both kinds of pair, a scalar."""
        pull = log_sum_exp(-self.gamma * measured, positive)
        push = log_sum_exp(self.gamma * (measured + self.margin), negative)
        return mean_over(functional.softplus(pull + push), positive.any(1) & negative.any(1))


class CircleLoss(PairLoss):
    """Pairs far from their optimum count more: positives want 1 + m, negatives -m.

    softplus(log sum exp(-gamma a_p (s_p - (1 - m))) + log sum exp(gamma a_n (s_n - m))) with the
    weights a_p = max(0, 1 + m - s_p) and a_n = max(0, s_n + m), through which no gradient flows;
    the mean over the anchors that have both kinds of pair. PaddleClas has the margin head of this
    name and no such loss on pairs.

    Args:
        margin: the relaxation m; smaller is stricter.
        gamma: scale of the cosines; larger looks harder at the hardest pairs.
        feature_from: the network's output to compare.

    Source: Sun et al., Circle Loss, 2020, equations 5 and 6, with one margin as the paper chooses
    it; the defaults are those of its fine-grained retrieval.
    """

    def __init__(
        self,
        *,
        margin: Fraction = 0.4,
        gamma: PositiveFloat = 80.0,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.margin, self.gamma = margin, gamma

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that have both kinds of pair, a scalar."""
        fixed = measured.detach()
        weight_positive = functional.relu(1.0 + self.margin - fixed)
        weight_negative = functional.relu(fixed + self.margin)
        pull = -self.gamma * weight_positive * (measured - (1.0 - self.margin))
        push = self.gamma * weight_negative * (measured - self.margin)
        unified = log_sum_exp(pull, positive) + log_sum_exp(push, negative)
        return mean_over(functional.softplus(unified), positive.any(1) & negative.any(1))


class MultiSimilarityLoss(PairLoss):
    """Weighs a pair by its own similarity and by those of the other pairs of its anchor.

    log(1 + sum exp(-alpha (s_p - base))) / alpha + log(1 + sum exp(beta (s_n - base))) / beta,
    over the pairs that were mined: negatives above the hardest positive minus `epsilon`, and
    positives below the hardest negative plus `epsilon`. The mean is over the anchors with both
    kinds of pair; without mining over those with any. PaddleClas has no such loss.

    Args:
        alpha: sharpness of the pull on positives.
        beta: sharpness of the push on negatives.
        base: cosine to pull positives above and push negatives below.
        epsilon: slack of the mining, in cosine; null mines nothing and takes all pairs.
        feature_from: the network's output to compare.

    Source: Wang et al., Multi-Similarity Loss, 2019, equations 11, 12 and 15.
    """

    def __init__(
        self,
        *,
        alpha: PositiveFloat = 2.0,
        beta: PositiveFloat = 50.0,
        base: Cosine = 0.5,
        epsilon: NonNegativeFloat | None = 0.1,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.alpha, self.beta, self.base, self.epsilon = alpha, beta, base, epsilon

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that count, a scalar."""
        counted = positive.any(1) | negative.any(1)
        if self.epsilon is not None:
            counted = positive.any(1) & negative.any(1)
            fixed = measured.detach()
            above = fixed + self.epsilon > smallest(fixed, positive).unsqueeze(1)
            below = fixed - self.epsilon < largest(fixed, negative).unsqueeze(1)
            positive, negative = positive & below, negative & above
        apart = measured - self.base
        pull = functional.softplus(log_sum_exp(-self.alpha * apart, positive)) / self.alpha
        push = functional.softplus(log_sum_exp(self.beta * apart, negative)) / self.beta
        return mean_over(pull + push, counted)
