"""Learning rate as a function of the step: a linear warm-up, then one of five shapes.

A schedule is a value: called with the number of updates done so far it returns the rate of the
next one. It remembers nothing, so resuming needs no state, and a run that is made longer does not
go on with the rate at which the shorter one ended.

As in PaddleClas, the warm-up runs from `warmup_start_lr` at step 0 to the base rate at step
`warmup_steps`, and Cosine and Polynomial decay over the steps that remain. The epochs of Step and
Piecewise are counted from the start of the run, warm-up included.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

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
        by_epoch: change the rate at the start of an epoch only.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    warmup_start_lr: NonNegativeFloat = 0.0
    by_epoch: bool = False

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        step = _counted(self, step)
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
        by_epoch: change the rate at the start of an epoch only.

    Source: arXiv 1608.03983, equation 5, without restarts.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    end_lr: NonNegativeFloat = 0.0
    warmup_start_lr: NonNegativeFloat = 0.0
    by_epoch: bool = False

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        step = _counted(self, step)
        if step < self.warmup_steps:
            return _warm_up(self, step)
        done = _share_done(self, step)
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
        by_epoch: change the rate at the start of an epoch only.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    milestones: PositiveIntList | None = None
    step_size: PositiveInt | None = None
    gamma: PositiveFloat = 0.1
    warmup_start_lr: NonNegativeFloat = 0.0
    by_epoch: bool = False

    def __post_init__(self) -> None:
        _check(self)
        if (self.milestones is None) == (self.step_size is None):
            raise ValueError(
                f"Give either milestones (a list of epochs) or step_size (epochs); got milestones "
                f"{self.milestones} and step_size {self.step_size}."
            )
        _check_ascending(self.milestones or [])

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        step = _counted(self, step)
        if step < self.warmup_steps:
            return _warm_up(self, step)
        epochs_done = step // self.steps_per_epoch
        if self.step_size is not None:
            return float(self.base_lr * self.gamma ** (epochs_done // self.step_size))
        return float(self.base_lr * self.gamma ** _passed(self.milestones or [], epochs_done))


@dataclass(frozen=True)
class Piecewise:
    """The base rate times a factor of its own from each milestone on.

    Args:
        base_lr: the rate before the first milestone.
        total_steps: updates of the whole run.
        warmup_steps: updates of the warm-up, in [0, total_steps].
        steps_per_epoch: updates of an epoch.
        milestones: epochs after which the rate changes, ascending.
        factors: one a milestone, of the base rate.
        warmup_start_lr: rate of the first update when there is a warm-up.
        by_epoch: change the rate at the start of an epoch only.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    milestones: PositiveIntList
    factors: list[NonNegativeFloat]
    warmup_start_lr: NonNegativeFloat = 0.0
    by_epoch: bool = False

    def __post_init__(self) -> None:
        _check(self)
        _check_ascending(self.milestones)
        if len(self.factors) != len(self.milestones):
            raise ValueError(
                f"Give one factor a milestone; got milestones {self.milestones} and factors "
                f"{self.factors}."
            )

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        step = _counted(self, step)
        if step < self.warmup_steps:
            return _warm_up(self, step)
        passed = _passed(self.milestones, step // self.steps_per_epoch)
        return self.base_lr * [1.0, *self.factors][passed]


@dataclass(frozen=True)
class Polynomial:
    """From the base rate down to `end_lr` along a power of what remains of the run.

    Args:
        base_lr: the highest rate.
        total_steps: updates of the whole run.
        warmup_steps: updates of the warm-up, in [0, total_steps].
        steps_per_epoch: updates of an epoch.
        end_lr: rate at the end of the run.
        power: 1 is a straight line.
        warmup_start_lr: rate of the first update when there is a warm-up.
        by_epoch: change the rate at the start of an epoch only.
    """

    base_lr: float
    total_steps: int
    warmup_steps: int
    steps_per_epoch: int
    end_lr: NonNegativeFloat = 0.0
    power: PositiveFloat = 1.0
    warmup_start_lr: NonNegativeFloat = 0.0
    by_epoch: bool = False

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, step: int) -> float:
        """Returns the rate of the update after `step` updates."""
        step = _counted(self, step)
        if step < self.warmup_steps:
            return _warm_up(self, step)
        remaining = 1.0 - _share_done(self, step)
        return float(self.end_lr + (self.base_lr - self.end_lr) * remaining**self.power)


_WarmedUp: TypeAlias = Constant | Cosine | Step | Piecewise | Polynomial


def _counted(schedule: _WarmedUp, step: int) -> int:
    """Returns the step that the rate of `step` is that of."""
    return step - step % schedule.steps_per_epoch if schedule.by_epoch else step


def _share_done(schedule: _WarmedUp, step: int) -> float:
    """Returns how much of the run behind the warm-up is done, in [0, 1]."""
    span = schedule.total_steps - schedule.warmup_steps
    return min(1.0, (step - schedule.warmup_steps) / span) if span else 1.0


def _passed(milestones: list[int], epochs_done: int) -> int:
    return sum(epochs_done >= milestone for milestone in milestones)


def _check_ascending(milestones: list[int]) -> None:
    if milestones != sorted(set(milestones)):
        raise ValueError(f"milestones must be different and ascending; got {milestones}.")


def _warm_up(schedule: _WarmedUp, step: int) -> float:
    rise = schedule.base_lr - schedule.warmup_start_lr
    return schedule.warmup_start_lr + rise * step / schedule.warmup_steps


def _check(schedule: _WarmedUp) -> None:
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
