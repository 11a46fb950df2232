"""LARS: a learning rate of its own for every layer, for large batches."""

from typing import Literal

import paddle

from toolkit.config.types import Fraction, NonNegativeFloat, PositiveFloat
from toolkit.training.named_optimizer import NamedOptimizer, NamedParameter


class LARS(NamedOptimizer):
    """Momentum on gradients that are scaled to the size of what they change.

    gradient = trust * |parameter| / (|gradient| + weight_decay * |parameter|)
    * (gradient + weight_decay * parameter); velocity = momentum * velocity + gradient;
    parameter -= rate * velocity. Where either length is 0 nothing is scaled.

    Args:
        parameters: what is trained.
        learning_rate: the rate until it is set.
        momentum: share of the velocity that is kept, in [0, 1].
        trust: how far a step of rate 1 may move a layer, as a share of its length.
        weight_decay: L2 factor.
        skip: kinds of parameters that neither decay nor are scaled; none is [].

    Raises:
        ValueError: there is nothing to train.

    Source: You et al., Large Batch Training of Convolutional Networks, 2017, algorithm 1, with the
    learning rate outside of the velocity, as in the code of SwAV.
    """

    def __init__(
        self,
        parameters: list[NamedParameter],
        learning_rate: float,
        *,
        momentum: Fraction = 0.9,
        trust: PositiveFloat = 0.001,
        weight_decay: NonNegativeFloat = 1e-6,
        # A literal list: the configuration reads defaults from this text. Nothing writes to it.
        skip: list[Literal["norm", "bias", "embedding"]] = ["norm", "bias"],  # noqa: B006
    ) -> None:
        if not parameters:
            raise ValueError("There is nothing to train: no parameter takes a gradient.")
        self._trust, self._weight_decay = trust, weight_decay
        self._scaled = [item.parameter for item in parameters if item.kind not in skip]
        rule = paddle.optimizer.Momentum(
            learning_rate=float(learning_rate),
            momentum=momentum,
            parameters=[item.parameter for item in parameters],
        )
        super().__init__(rule, parameters, {"velocity": 0.0})

    @paddle.no_grad()
    def step(self) -> None:
        """Updates the parameters from their gradients."""
        for parameter in self._scaled:
            gradient = parameter.grad
            if gradient is None or parameter.stop_gradient:
                continue
            length, slope = parameter.norm(), gradient.norm()
            whole = gradient + self._weight_decay * parameter
            if float(length) and float(slope):
                whole = whole * (self._trust * length / (slope + self._weight_decay * length))
            parameter.grad = whole
        super().step()
