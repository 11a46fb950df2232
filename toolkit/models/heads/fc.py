"""The plain linear classifier."""

from typing import Literal

from paddle import Tensor, nn
from paddle.nn.initializer import Normal, XavierNormal

from toolkit.config.types import PositiveFloat, PositiveInt


class FC(nn.Layer):
    """A linear classifier.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        bias: add a learned number per class; switch it off behind a BNNeck.
        initializer: how the weights start; ``normal`` has mean 0 and deviation `std`.
        std: standard deviation of ``normal``.
    """

    def __init__(
        self,
        in_features: PositiveInt,
        num_classes: PositiveInt,
        *,
        bias: bool = True,
        initializer: Literal["xavier_normal", "normal"] = "xavier_normal",
        std: PositiveFloat = 0.001,
    ) -> None:
        super().__init__()
        start = Normal(0.0, std) if initializer == "normal" else XavierNormal()
        bias_attr = None if bias else False
        self.fc = nn.Linear(in_features, num_classes, weight_attr=start, bias_attr=bias_attr)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Maps [b, in_features] to logits [b, num_classes]; every head takes labels."""
        logits: Tensor = self.fc(features)
        return logits
