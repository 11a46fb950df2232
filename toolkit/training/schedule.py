"""Learning rate as a function of the step: linear warm-up, then constant, cosine or steps.

A schedule is a value: called with the number of updates done so far it returns the rate of the
next one. It remembers nothing, so resuming needs no state, and a run that is made longer does not
go on with the rate at which the shorter one ended.

As in PaddleClas, the warm-up runs from `warmup_start_lr` at step 0 to the base rate at step
`warmup_steps`, and Cosine decays over the steps that remain. The epochs of Step are counted from
the start of the run, warm-up included.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from toolkit.config.types import NonNegativeFloat, PositiveFloat, PositiveInt, PositiveIntList

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """The base rate throughout, after a warm-up.

    Args:
        base_lr: the highest rate.
        total_steps: updates of the whole run.
        warmup_steps: updates of the warm-up, in [0, total_steps].
        steps_per_epoch: updates of an epoch.
        warmup_start_lr: rate of the first update when there is a warm-up.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    warmup_start_lr: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        return _warm_up(self, step) if step < self.warmup_steps else self.base_lr


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the base rate down to `end_lr`; the usual choice.

    Args:
        base_lr: the highest rate.
        total_steps: updates of the whole run.
        warmup_steps: updates of the warm-up, in [0, total_steps].
        steps_per_epoch: updates of an epoch.
        end_lr: rate at the end of the run.
        warmup_start_lr: rate of the first update when there is a warm-up.

    Source: arXiv 1608.03983, equation 5, without restarts.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    end_lr: NonNegativeFloat = 0.0
    warmup_start_lr: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        if step < self.warmup_steps:
            return _warm_up(self, step)
        span = self.total_steps - self.warmup_steps
        done = min(1.0, (step - self.warmup_steps) / span) if span else 1.0
        return self.end_lr + (self.base_lr - self.end_lr) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Step:
    """The base rate times `gamma` at each milestone, or every `step_size` epochs.

    Args:
        base_lr: the highest rate.
        total_steps: updates of the whole run.
        warmup_steps: updates of the warm-up, in [0, total_steps].
        steps_per_epoch: updates of an epoch.
        milestones: epochs after which the rate drops, ascending; excludes `step_size`.
        step_size: epochs between two drops; excludes `milestones`.
        gamma: factor of one drop.
        warmup_start_lr: rate of the first update when there is a warm-up.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    milestones: PositiveIntList | None = None
    step_size: PositiveInt | None = None
    gamma: PositiveFloat = 0.1
    warmup_start_lr: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        _check(self)
        if (self.milestones is None) == (self.step_size is None):
            raise ValueError(
                f"Give either milestones (a list of epochs) or step_size (epochs); got milestones "
                f"{self.milestones} and step_size {self.step_size}."
            )
        if self.milestones is not None and self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones must be different and ascending; got {self.milestones}.")

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        if step < self.warmup_steps:
            return _warm_up(self, step)
        epochs_done = step // self.steps_per_epoch
        if self.step_size is not None:
            return float(self.base_lr * self.gamma ** (epochs_done // self.step_size))
        drops = sum(epochs_done >= milestone for milestone in self.milestones or [])
        return float(self.base_lr * self.gamma**drops)


def _warm_up(schedule: Constant | Cosine | Step, step: int) -> float:
    rise = schedule.base_lr - schedule.warmup_start_lr
    return schedule.warmup_start_lr + rise * step / schedule.warmup_steps


def _check(schedule: Constant | Cosine | Step) -> None:
    if not 0 <= schedule.warmup_steps <= schedule.total_steps:
        raise ValueError(
            f"The warm-up of {schedule.warmup_steps} steps does not fit into the run of "
            f"{schedule.total_steps} steps. Shorten the warm-up or train longer."
        )
    if schedule.steps_per_epoch < 1 or schedule.base_lr <= 0:
        raise ValueError(
            f"steps_per_epoch and base_lr must be above 0; got {schedule.steps_per_epoch} and "
            f"{schedule.base_lr}."
        )
