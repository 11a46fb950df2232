"""Supervised contrastive loss: all positives of an anchor against the rest of the batch."""

from typing import Literal

from paddle import Tensor

from toolkit.config.types import PositiveFloat
from toolkit.losses.metric_loss import PairLoss
from toolkit.losses.pairs import log_sum_exp, mean_over, sum_over


class SupConLoss(PairLoss):
    """The mean over an anchor's positives of -log softmax of the similarities to all others.

    The mean is over the anchors that have a positive. On batches of P classes with K images each
    the value is PaddleClas's with ``views`` K and ``contrast_mode`` all; who belongs together is
    read from the labels here, so neither is an option.

    Args:
        temperature: similarities are divided by it; smaller looks harder at the nearest ones.
        base_temperature: the loss is multiplied by temperature / base_temperature.
        normalize_feature: compare directions; False compares plain inner products.
        feature_from: the network's output to compare.

    Source: Khosla et al., Supervised Contrastive Learning, 2020, equation 2.
    """

    def __init__(
        self,
        *,
        temperature: PositiveFloat = 0.07,
        base_temperature: PositiveFloat = 0.07,
        normalize_feature: bool = True,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=normalize_feature)
        self.temperature, self.base_temperature = temperature, base_temperature

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the mean over the anchors that have a positive, a scalar."""
        logits = measured / self.temperature
        normaliser = log_sum_exp(logits, positive | negative).unsqueeze(1)
        num_positives = positive.astype(logits.dtype).sum(1).clip(min=1.0)
        entropy = sum_over(normaliser - logits, positive) / num_positives
        return self.temperature / self.base_temperature * mean_over(entropy, positive.any(1))
