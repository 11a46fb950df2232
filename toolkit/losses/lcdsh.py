"""Locality-constrained deep supervised hashing: similarities that survive taking the signs."""

from typing import Literal

from paddle import Tensor
from paddle.nn import functional

from toolkit.config.types import NonNegativeFloat
from toolkit.losses.metric_loss import MetricLoss


class LCDSHLoss(MetricLoss):
    """The likelihood of the pairs, and what their similarity loses when only the signs are kept.

    With t = <f_i, f_j> / 2 and s = 1 for a pair of one class, else -1: log(1 + exp(-s * t)), plus
    the squared difference of sigmoid(t) and the same of the signs.

    Args:
        quantization_weight: weight of the second part (``_lambda`` in PaddleClas).
        feature_from: the network's output to compare.

    Source: Zhu and Gao, Locality-Constrained Deep Supervised Hashing for Image Retrieval, 2017. As
    in PaddleClas the mean is over all b * b pairs, a row with itself among them. PaddleClas cuts t
    at -50 and 50 against an overflow of exp; this needs no cut, so that pairs beyond keep their
    gradient.
    """

    def __init__(
        self,
        quantization_weight: NonNegativeFloat = 3.0,
        *,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=False)
        self.quantization_weight = quantization_weight

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss of vectors [b, d] of classes [b], a scalar."""
        same = (labels.unsqueeze(1) == labels.unsqueeze(0)).astype(vectors.dtype)
        product, code_product = (0.5 * v @ v.T for v in (vectors, vectors.sign()))
        likelihood = functional.softplus((1.0 - 2.0 * same) * product)
        lost = (functional.sigmoid(product) - functional.sigmoid(code_product)).square()
        return likelihood.mean() + self.quantization_weight * lost.mean()
