"""From `Optimizer` and `Train` to an optimizer and its learning rate schedule."""

import logging

from paddle import nn

from toolkit.config.parts import Part
from toolkit.config.train_section import TrainSection
from toolkit.errors import ConfigError
from toolkit.registry import OPTIMIZERS, SCHEDULES
from toolkit.training.named_optimizer import (
    NamedOptimizer,
    named_parameters,
    scale_learning_rates,
)
from toolkit.training.schedule import Schedule

_LOG = logging.getLogger(__name__)


def build_optimizer(
    part: Part, learning_rate: float, model: nn.Layer, loss: nn.Layer
) -> NamedOptimizer:
    """Builds the optimizer over the parameters of the network and of the loss.

    Raises:
        ConfigError: a factor of the learning rate is for parameters that there are not.
    """
    own = {"lr", "lr_factors"}
    options = {key: value for key, value in part.options.items() if key not in own}
    parameters = [*named_parameters(model), *named_parameters(loss, prefix="loss.")]
    try:
        scale_learning_rates(parameters, part.options["lr_factors"] or {})
    except ValueError as error:
        raise ConfigError(f"Optimizer.{error}") from error
    optimizer: NamedOptimizer = OPTIMIZERS.build(
        part.name, parameters=parameters, learning_rate=learning_rate, **options
    )
    return optimizer


def build_schedule(part: Part, train: TrainSection, steps_per_epoch: int) -> Schedule:
    """Builds the learning rate as a function of the step.

    A warm-up longer than the run is cut to the run, with a warning, as PaddleX does.
    """
    lr: Part = part.options["lr"]
    options = {key: value for key, value in lr.options.items() if key != "warmup_iters"}
    total = train.epochs_iters * steps_per_epoch
    warmup = (train.warmup_steps or 0) * steps_per_epoch
    if lr.options["warmup_iters"] is not None:
        warmup = lr.options["warmup_iters"]
    if warmup > total:
        _LOG.warning("The warm-up of %d steps is cut to the %d steps of the run.", warmup, total)
        warmup = total
    schedule: Schedule = SCHEDULES.build(
        lr.name,
        base_lr=train.learning_rate,
        total_steps=total,
        warmup_steps=warmup,
        steps_per_epoch=steps_per_epoch,
        **options,
    )
    return schedule
