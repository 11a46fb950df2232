"""Momentum, Adam and AdamW: Paddle's update rules, with state that is keyed by structured names.

Which parameters decay is decided per parameter, not by Paddle's parameter groups: those would clip
each group by its own norm, and overwrite the learning rate factors that layers give to parameters.
"""

import math
from typing import Literal

import paddle
from paddle import nn
from paddle.regularizer import L2Decay

from toolkit.config.types import Fraction, NonNegativeFloat, PositiveFloat
from toolkit.training.named_optimizer import NamedOptimizer, NamedParameter


class Momentum(NamedOptimizer):
    """Stochastic gradient descent with momentum; the rule of PaddleClas's recipes.

    gradient += weight_decay * parameter; velocity = momentum * velocity + gradient;
    parameter -= rate * velocity (with Nesterov: rate * (gradient + momentum * velocity)).

    Args:
        parameters: what is trained.
        learning_rate: the rate until it is set.
        momentum: share of the velocity that is kept, in [0, 1].
        use_nesterov: look ahead along the velocity.
        weight_decay: L2 factor. A layer that brings a factor of its own keeps it, as in Paddle.
        skip_decay: kinds of parameters that do not decay.
        clip_norm: largest norm of all gradients together; None does not clip.

    Raises:
        ValueError: there is nothing to train.
    """

    def __init__(
        self,
        parameters: list[NamedParameter],
        learning_rate: float,
        *,
        momentum: Fraction = 0.9,
        use_nesterov: bool = False,
        weight_decay: NonNegativeFloat = 1e-4,
        skip_decay: list[Literal["norm", "bias", "embedding"]] | None = None,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        _require(parameters)
        _release(parameters, skip_decay)
        rule = paddle.optimizer.Momentum(
            learning_rate=float(learning_rate),
            momentum=momentum,
            parameters=[item.parameter for item in parameters],
            use_nesterov=use_nesterov,
            weight_decay=float(weight_decay),
            grad_clip=_clip(clip_norm),
        )
        super().__init__(rule, parameters, {"velocity": 0.0})


class Adam(NamedOptimizer):
    """Steps of a size of their own for every number; weight decay is part of the gradient.

    Args:
        parameters: what is trained.
        learning_rate: the rate until it is set.
        beta1: share of the mean gradient that is kept, in [0, 1).
        beta2: share of the mean squared gradient that is kept, in [0, 1).
        epsilon: added to the root of the mean squared gradient.
        weight_decay: L2 factor. A layer that brings a factor of its own keeps it, as in Paddle.
        skip_decay: kinds of parameters that do not decay.
        clip_norm: largest norm of all gradients together; None does not clip.

    Raises:
        ValueError: there is nothing to train, or a beta is 1.

    Source: arXiv 1412.6980, algorithm 1.
    """

    def __init__(  # noqa: PLR0913 - one argument for each option of the rule
        self,
        parameters: list[NamedParameter],
        learning_rate: float,
        *,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        epsilon: PositiveFloat = 1e-8,
        weight_decay: NonNegativeFloat = 0.0,
        skip_decay: list[Literal["norm", "bias", "embedding"]] | None = None,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        _require(parameters)
        _check_betas(beta1, beta2)
        _release(parameters, skip_decay)
        rule = paddle.optimizer.Adam(
            learning_rate=float(learning_rate),
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            parameters=[item.parameter for item in parameters],
            weight_decay=float(weight_decay),
            grad_clip=_clip(clip_norm),
        )
        super().__init__(rule, parameters, _adam_start(beta1, beta2))


class AdamW(NamedOptimizer):
    """Adam with weight decay apart from the gradient; the usual choice for transformers.

    Args:
        parameters: what is trained.
        learning_rate: the rate until it is set.
        beta1: share of the mean gradient that is kept, in [0, 1).
        beta2: share of the mean squared gradient that is kept, in [0, 1).
        epsilon: added to the root of the mean squared gradient.
        weight_decay: share of a parameter that a step of rate 1 takes away. A layer that brings a
            factor of its own keeps it, as in Momentum.
        final_weight_decay: where `weight_decay` goes by the end of the run, along half a cosine;
            null stays.
        skip_decay: kinds of parameters that do not decay.
        clip_norm: largest norm of all gradients together; None does not clip.

    Raises:
        ValueError: there is nothing to train, or a beta is 1.

    Source: arXiv 1711.05101, algorithm 2; the schedule, arXiv 2104.14294, section 3.2.
    """

    def __init__(  # noqa: PLR0913 - one argument for each option of the rule
        self,
        parameters: list[NamedParameter],
        learning_rate: float,
        *,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        epsilon: PositiveFloat = 1e-8,
        weight_decay: NonNegativeFloat = 0.01,
        final_weight_decay: NonNegativeFloat | None = None,
        skip_decay: list[Literal["norm", "bias", "embedding"]] | None = None,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        _require(parameters)
        _check_betas(beta1, beta2)
        decaying = [
            item.parameter
            for item in parameters
            if item.kind not in (skip_decay or []) and item.parameter.regularizer is None
        ]
        self._decaying, self._decay = decaying, weight_decay
        self._decay_span = (
            None if final_weight_decay is None else (weight_decay, final_weight_decay)
        )
        rule = paddle.optimizer.AdamW(
            learning_rate=float(learning_rate),
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            parameters=[item.parameter for item in parameters],
            # Paddle's is a constant; one that changes is taken off by `step`.
            weight_decay=float(weight_decay) if self._decay_span is None else 0.0,
            apply_decay_param_fun={parameter.name for parameter in decaying}.__contains__,
            grad_clip=_clip(clip_norm),
        )
        super().__init__(rule, parameters, _adam_start(beta1, beta2))

    def set_progress(self, done: float) -> None:
        """See `NamedOptimizer`."""
        if self._decay_span is not None:
            first, last = self._decay_span
            self._decay = last + (first - last) * (1 + math.cos(math.pi * done)) / 2

    @paddle.no_grad()
    def step(self) -> None:
        """See `NamedOptimizer`; a weight decay that changes comes first, as Paddle's does."""
        if self._decay_span is not None:
            for parameter in self._decaying:
                if parameter.grad is not None:
                    rate = self.learning_rate * parameter.optimize_attr["learning_rate"]
                    parameter.scale_(1.0 - rate * self._decay)
        super().step()


def _adam_start(beta1: float, beta2: float) -> dict[str, float]:
    return {"moment1": 0.0, "moment2": 0.0, "beta1_pow_acc": beta1, "beta2_pow_acc": beta2}


def _check_betas(beta1: float, beta2: float) -> None:
    if beta1 >= 1 or beta2 >= 1:
        raise ValueError(f"beta1 and beta2 must be below 1; got {beta1} and {beta2}.")


def _release(
    parameters: list[NamedParameter], skip_decay: list[Literal["norm", "bias", "embedding"]] | None
) -> None:
    """Takes kinds of parameters out of an L2 term that is part of the gradient."""
    for item in parameters:
        if item.kind in (skip_decay or []):
            # What a parameter says of itself goes before what the optimizer says of all.
            item.parameter.regularizer = L2Decay(0.0)


def _clip(clip_norm: float | None) -> nn.ClipGradByGlobalNorm | None:
    return None if clip_norm is None else nn.ClipGradByGlobalNorm(clip_norm)


def _require(parameters: list[NamedParameter]) -> None:
    if not parameters:
        raise ValueError("There is nothing to train: no parameter takes a gradient.")
