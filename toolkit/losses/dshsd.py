"""Deep supervised hashing by a stable distribution: a classifier and a margin between codes."""

from typing import Literal

from paddle import Tensor
from paddle.nn import functional

from toolkit.config.types import NonNegativeFloat
from toolkit.losses.metric_loss import MetricLoss
from toolkit.losses.outputs import read_output
from toolkit.losses.pairs import squared_distances


class DSHSDLoss(MetricLoss):
    """Cross entropy, with embeddings of one class together and those of two far apart.

    For embeddings that are to be reduced to their signs: two codes of d bits, -1 or 1, that differ
    in half of them have a squared distance of 2 * d, which is the margin.

    Args:
        alpha: weight of the pairs.
        feature_from: the network's output to compare.

    Source: Wu et al., Deep Supervised Hashing Based on Stable Distribution, 2019. As in
    PaddleClas the mean is over all b * b pairs, a row with itself among them, and the network
    brings the classifier and what bounds the embedding (a tangent at its end).
    """

    def __init__(
        self,
        alpha: NonNegativeFloat = 0.05,
        *,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=False)
        self.reads = ("logits", feature_from)
        self.alpha = alpha

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Returns the loss of a batch, a scalar.

        Args:
            outputs: needs ``logits`` [b, c] and the output named by `feature_from` [b, d].
            labels: class indices [b], int64.
        """
        logits = read_output(outputs, "logits", "DSHSDLoss")
        pairs = super().forward(outputs, labels)
        return functional.cross_entropy(logits, labels) + self.alpha * pairs

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the part of the pairs."""
        distance = squared_distances(vectors, vectors)
        same = (labels.unsqueeze(1) == labels.unsqueeze(0)).astype(vectors.dtype)
        apart = functional.relu(2.0 * vectors.shape[1] - distance)
        return 0.5 * (same * distance + (1.0 - same) * apart).mean()
