"""One update: gradients summed over a few batches, then a step of the optimizer."""

import math
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from toolkit.errors import DivergedError
from toolkit.runtime import seed_framework
from toolkit.training.learner import Batch, Learner, Position


def sum_gradients(
    learner: Learner, group: list[Batch], position: Position, seed: int
) -> tuple[float, dict[str, float]]:
    """Sums the gradients of batches, each weighted by its share of the images.

    Args:
        learner: whose gradients; its weights do not change.
        group: the batches; at least one has an image.
        position: where the run stands before them.
        seed: of the run.

    Returns:
        The loss, and its parts by name.

    Raises:
        DivergedError: the loss is no finite number; there are no gradients then.
    """
    images = sum(len(batch[1]) for batch in group)
    total, sums = 0.0, dict[str, float]()
    for offset, (pixels, labels, _, _) in enumerate(group):
        share = len(labels) / images
        if not share:
            continue
        _seed(seed, position.epoch, position.batch + offset)
        targets = _tensor(labels)
        with learner.precision.fewer_bits():
            outputs = learner.model(_tensors(pixels), targets)
        loss, parts = learner.loss(learner.precision.whole(outputs), targets)
        value, values = float(loss), {name: float(part) for name, part in parts.items()}
        if not math.isfinite(value):
            learner.optimizer.clear_gradients()
            raise _diverged(position, learner.optimizer.learning_rate, value, values)
        learner.precision.scaled(loss * share).backward()
        total += value * share
        for name, part in values.items():
            sums[name] = sums.get(name, 0.0) + part * share
    return total, sums


def take_step(learner: Learner) -> None:
    """Changes the weights by their gradients, and the averages; then forgets the gradients.

    Nothing but the scale of the loss changes where 16 bits were too few for a gradient.
    """
    if learner.precision.unscale([item.parameter for item in learner.optimizer.parameters]):
        learner.optimizer.step()
        if learner.average is not None:
            learner.average.update()
    learner.optimizer.clear_gradients()


def _seed(seed: int, epoch: int, batch: int) -> None:
    """Makes what dropout draws in a batch depend on nothing but the seed and the place."""
    words = np.random.SeedSequence([seed, epoch, batch])
    seed_framework(int(words.generate_state(1)[0]))


def _tensor(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else paddle.to_tensor(values)


def _tensors(values: Any) -> Any:
    """Images of one size as one tensor, views of several sizes as a list of them."""
    return [_tensor(group) for group in values] if isinstance(values, tuple) else _tensor(values)


def _diverged(
    position: Position, rate: float, loss: float, parts: dict[str, float]
) -> DivergedError:
    named = ", ".join(f"{name} {value:g}" for name, value in parts.items())
    return DivergedError(
        f"The loss became {loss} in epoch {position.epoch}, step {position.step + 1}, at learning "
        f"rate {rate:g} (parts: {named or 'none'}). Try a lower Train.learning_rate (a tenth of it "
        f"first), a longer Train.warmup_steps, Optimizer.clip_norm, or look at the data with "
        f"check_dataset. Checkpoints that were saved before are whole and can be resumed from."
    )
