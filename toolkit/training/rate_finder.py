"""A learning rate by a short range test: it rises from step to step until the loss runs away.

Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3; the smoothed
loss and its steepest fall, as fastai reads the curve.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from toolkit.errors import DatasetError, DivergedError
from toolkit.training.gradients import find_gradients, take_step
from toolkit.training.joint_batches import agreed
from toolkit.training.learner import Batch, Learner, Loader, Position
from toolkit.training.preserved import preserved

_LOWEST, _HIGHEST = 1e-6, 10.0
_SMOOTHING = 0.9
_RUN_AWAY = 4.0
_FEWEST_STEPS = 10


@dataclass(frozen=True)
class RateCurve:
    """What a range test saw.

    Attributes:
        rates: of each step, rising.
        losses: of each step.
        smoothed: the same, averaged over the steps before.
        suggestion: where the smoothed loss falls fastest.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    suggestion: float


def find_learning_rate(
    learner: Learner, loader: Loader, seed: int, *, num_steps: int = 100
) -> RateCurve:
    """Trains for a few steps with rates from 1e-6 to 10; the learner is as before afterwards.

    Args:
        learner: what is to be trained.
        loader: its batches.
        seed: of the run.
        num_steps: steps at most; the test ends where the loss is four times the lowest.

    Raises:
        DatasetError: no picture can be read.
        DivergedError: the loss runs away at once, or does not fall at any rate.
    """
    learner.before_epoch(1)
    learner.model.train()
    learner.loss.train()
    rates, losses = list[float](), list[float]()
    with preserved(learner):
        wanted = np.geomspace(_LOWEST, _HIGHEST, num_steps)
        for (position, batch), rate in zip(_batches(loader), wanted, strict=False):
            learner.optimizer.set_learning_rate(float(rate))
            learner.before_step(position.step)
            try:
                loss, _ = find_gradients(learner, agreed([batch], ""), position, seed)
            except DivergedError:
                break
            take_step(learner)
            rates.append(float(rate))
            losses.append(loss)
            smoothed = _smoothed(losses)
            if len(losses) > _FEWEST_STEPS and smoothed[-1] > _RUN_AWAY * min(smoothed):
                break
    return RateCurve(rates, losses, _smoothed(losses), _steepest(rates, _smoothed(losses)))


def _batches(loader: Loader) -> Iterator[tuple[Position, Batch]]:
    """Yields batches that have pictures, epoch after epoch."""
    step = 0
    for epoch in count(1):
        before = step
        for number, batch in enumerate(loader.epoch(epoch, 0)):
            if len(batch[1]):
                yield Position(epoch, number, step), batch
                step += 1
        if step == before:
            raise DatasetError("No training picture can be read; run check_dataset.")


def _smoothed(losses: Sequence[float]) -> list[float]:
    """Averages exponentially, each step weighed as if there were none before the first."""
    mean, result = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        result.append(mean / (1 - _SMOOTHING**number))
    return result


def _steepest(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """Returns the rate at which the loss falls fastest per decade, before its lowest point."""
    lowest = int(np.argmin(smoothed)) if smoothed else 0
    if lowest < 2:
        raise DivergedError(
            f"The loss fell at no rate from {_LOWEST:g} to {rates[-1] if rates else _LOWEST:g}, so "
            "no learning rate can be suggested. Look at the data with check_dataset, or at the "
            "loss: some need several pictures of a class in a batch (Data.sampler: PKSampler)."
        )
    slopes = np.gradient(smoothed[: lowest + 1], [math.log10(rate) for rate in rates[: lowest + 1]])
    return rates[int(np.argmin(slopes))]
