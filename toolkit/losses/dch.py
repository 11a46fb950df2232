"""Deep Cauchy hashing: embeddings of one class within a small Hamming ball."""

from typing import Literal

import paddle
from paddle import Tensor

from toolkit.config.types import NonNegativeFloat, PositiveFloat
from toolkit.losses.metric_loss import MetricLoss
from toolkit.losses.pairs import unit_rows

# Keeps the distance above 0, of which a logarithm and a quotient are taken; as in PaddleClas.
_LARGEST_COSINE = 0.99


class DCHLoss(MetricLoss):
    """Cauchy cross entropy of the pairs, and how far embeddings are from codes of -1 and 1.

    The distance D of two embeddings of K values is that of their codes, K / 2 * (1 - cosine), in
    bits. A pair of one class costs log(1 + D / gamma), one of two classes log(1 + gamma / D); both
    kinds weigh the same in sum, where a batch has both.

    Args:
        gamma: the Hamming radius, in bits, within which a pair is as likely similar as not.
        quantization_weight: weight of log(1 + D(|f|, 1) / gamma) (``_lambda`` in PaddleClas).
        feature_from: the network's output to compare.

    Source: Cao et al., Deep Cauchy Hashing for Hamming Space Retrieval, 2018, section 3. As in
    PaddleClas the pairs are all b * b, a row with itself among them.
    """

    def __init__(
        self,
        gamma: PositiveFloat = 20.0,
        quantization_weight: NonNegativeFloat = 0.1,
        *,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=False)
        self.gamma, self.quantization_weight = gamma, quantization_weight

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss of vectors [b, d] of classes [b], a scalar."""
        same = (labels.unsqueeze(1) == labels.unsqueeze(0)).astype(vectors.dtype)
        distance = _distance(vectors, vectors)
        similar = paddle.log1p(distance / self.gamma)
        dissimilar = paddle.log1p(self.gamma / distance)
        cauchy = _balanced(same) * (same * similar + (1.0 - same) * dissimilar)
        from_codes = _distance(vectors.abs(), paddle.ones_like(vectors[:1]))
        quantization = paddle.log1p(from_codes / self.gamma)
        loss: Tensor = cauchy.mean() + self.quantization_weight * quantization.mean()
        return loss


def _distance(left: Tensor, right: Tensor) -> Tensor:
    """Returns the Hamming distance [b, n] that the angles of [b, d] and [n, d] stand for."""
    cosine = unit_rows(left) @ unit_rows(right).T
    distance: Tensor = 0.5 * left.shape[1] * (1.0 - cosine.clip(max=_LARGEST_COSINE))
    return distance


def _balanced(same: Tensor) -> Tensor:
    """Returns the weights of the pairs [b, b] that give both kinds the same sum."""
    share = same.mean()
    both = (share > 0.0) & (share < 1.0)
    weights = same / share.clip(min=1e-12) + (1.0 - same) / (1.0 - share).clip(min=1e-12)
    return paddle.where(both, weights, paddle.ones_like(weights))
