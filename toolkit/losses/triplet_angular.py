"""Triplet loss on cosines, with the hardest positive and negative of each anchor."""

from typing import Literal

from paddle import Tensor
from paddle.nn import functional

from toolkit.config.types import Cosine, NonNegativeFloat
from toolkit.losses.metric_loss import PairLoss
from toolkit.losses.pairs import largest, mean_over, smallest


class TripletAngularMarginLoss(PairLoss):
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
        super().__init__(feature_from, normalize=normalize)
        self.margin = margin
        self.absolute_loss_weight = absolute_loss_weight if add_absolute else 0.0
        self.ap_value, self.an_value = ap_value, an_value

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that have both kinds of pair, a scalar."""
        # PaddleClas counts an anchor as its own positive; on unit vectors that never is the
        # hardest one, and without normalising it would be wrong.
        hardest_positive = smallest(measured, positive)
        hardest_negative = largest(measured, negative)
        has_positive, has_negative = positive.any(1), negative.any(1)

        hinge = functional.relu(hardest_negative - hardest_positive + self.margin)
        loss = mean_over(hinge, has_positive & has_negative)
        if self.absolute_loss_weight:
            pull = functional.relu(self.ap_value - hardest_positive)
            push = functional.relu(hardest_negative - self.an_value)
            absolute = mean_over(pull, has_positive) + mean_over(push, has_negative)
            loss = loss + self.absolute_loss_weight * absolute
        return loss
