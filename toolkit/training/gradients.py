"""One update: gradients of a few batches and all processes, then a step of the optimizer."""

import math
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from toolkit.distributed.gradients import average_moments, sum_gradients
from toolkit.distributed.group import process_rank, summed_values
from toolkit.errors import DivergedError
from toolkit.runtime import seed_framework
from toolkit.training.joint_batches import Group
from toolkit.training.learner import Learner, Position

_TOTAL = ""  # among the names of the parts of a loss


def find_gradients(
    learner: Learner, joint: Group, position: Position, seed: int
) -> tuple[float, dict[str, float]]:
    """Sums the gradients of batches, each weighted by its share of the images of all processes.

    Args:
        learner: whose gradients; its weights do not change.
        joint: the batches; at least one has an image.
        position: where the run stands before them.
        seed: of the run.

    Returns:
        The loss, and its parts by name.

    Raises:
        DivergedError: the loss is no finite number; there are no gradients then.
    """
    total, sums = 0.0, dict[str, float]()
    for offset, (pixels, labels, _, _) in joint.batches:
        share = len(labels) / joint.images
        _seed(seed, position.epoch, position.batch + offset)
        targets = _tensor(labels)
        with learner.precision.fewer_bits():
            outputs = learner.model(_tensors(pixels), targets)
        loss, parts = learner.loss(learner.precision.whole(outputs), targets)
        own = {_TOTAL: float(loss), **{name: float(part) for name, part in parts.items()}}
        # All processes know of a loss that is no number, and stop at the same step.
        values = summed_values({name: value * share for name, value in own.items()})
        if not math.isfinite(values[_TOTAL]):
            learner.optimizer.clear_gradients()
            raise _diverged(position, learner.optimizer.learning_rate, own.pop(_TOTAL), own)
        learner.precision.scaled(loss * share).backward()
        total += values.pop(_TOTAL)
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value
    parameters = learner.optimizer.parameters
    sum_gradients([item.parameter for item in parameters if not item.of_this_process])
    average_moments(learner.model)
    average_moments(learner.loss)
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
    # The shares of a batch are other pictures: each process draws for its own.
    rank = [process_rank()] if process_rank() else []
    words = np.random.SeedSequence([seed, epoch, batch, *rank])
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
