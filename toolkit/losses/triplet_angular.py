"""Triplet loss on cosines, with the hardest positive and negative of each anchor."""

from typing import Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.config.types import Cosine, NonNegativeFloat
from toolkit.losses.outputs import read_output
from toolkit.losses.pairs import positive_and_negative_pairs, unit_rows

# Stands for "no such pair": further than any similarity, so that every hinge below is 0 and
# passes no gradient.
_NO_PAIR = 1e9


class TripletAngularMarginLoss(nn.Layer):
    """Asks that the least similar positive beats the most similar negative by a margin.

    It works on any batch: an anchor without a positive or without a negative counts for nothing,
    and a batch without any triplet gives 0. Batches of P classes with K images each (PKSampler)
    hold the most triplets, and there the value equals PaddleClas's except for one defect of it:
    PaddleClas adds 1 for each negative that is already below `an_value`, a constant that moves
    the printed loss and no weight.

    Args:
        margin: by how much the positive has to win, in cosine (0 to 2).
        normalize: compare directions; False compares plain inner products.
        add_absolute: also pull positives above `ap_value` and push negatives below `an_value`.
        absolute_loss_weight: factor on that second part.
        ap_value: cosine that the hardest positive should reach.
        an_value: cosine that the hardest negative should not exceed.
        feature_from: the network's output to compare.

    Source: Hermans et al., In Defense of the Triplet Loss for Person Re-Identification, 2017,
    equation 5 (batch hard), with cosine in place of distance.
    """

    def __init__(
        self,
        margin: NonNegativeFloat = 0.5,
        *,
        normalize: bool = True,
        add_absolute: bool = False,
        absolute_loss_weight: NonNegativeFloat = 1.0,
        ap_value: Cosine = 0.9,
        an_value: Cosine = 0.5,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__()
        self.margin, self.normalize = margin, normalize
        self.absolute_loss_weight = absolute_loss_weight if add_absolute else 0.0
        self.ap_value, self.an_value = ap_value, an_value
        self.feature_from = feature_from

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Returns the mean over the anchors that have both kinds of pair, a scalar.

        Args:
            outputs: needs the output named by `feature_from` [b, d].
            labels: class indices [b], int64.
        """
        vectors = read_output(outputs, self.feature_from, "TripletAngularMarginLoss")
        if self.normalize:
            vectors = unit_rows(vectors)
        similarity = vectors @ vectors.T  # [b, b]
        positive, negative = positive_and_negative_pairs(labels)
        # PaddleClas counts an anchor as its own positive; on unit vectors that never is the
        # hardest one, and without normalising it would be wrong.
        farthest = paddle.full_like(similarity, _NO_PAIR)
        hardest_positive = paddle.where(positive, similarity, farthest).min(1)
        hardest_negative = paddle.where(negative, similarity, -farthest).max(1)
        has_positive, has_negative = positive.any(1), negative.any(1)

        hinge = functional.relu(hardest_negative - hardest_positive + self.margin)
        loss = _mean_over(hinge, has_positive & has_negative)
        if self.absolute_loss_weight:
            pull = functional.relu(self.ap_value - hardest_positive)
            push = functional.relu(hardest_negative - self.an_value)
            absolute = _mean_over(pull, has_positive) + _mean_over(push, has_negative)
            loss = loss + self.absolute_loss_weight * absolute
        return loss


def _mean_over(values: Tensor, counted: Tensor) -> Tensor:
    """Returns the sum of `values`, which are 0 where not counted, over the number counted."""
    return values.sum() / counted.astype(values.dtype).sum().clip(min=1.0)
