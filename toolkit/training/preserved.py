"""Trying something with a learner without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from toolkit.training.learner import Learner, state_arrays


@contextmanager
def preserved(learner: Learner) -> Iterator[None]:
    """Puts everything that training changes back as it was when the block is left."""
    layers = (learner.model, learner.loss)
    saved = [{name: array.copy() for name, array in state_arrays(part).items()} for part in layers]
    optimizer, rate = learner.optimizer.state(), learner.optimizer.learning_rate
    scaler, average = copy(learner.precision.scaler), learner.average
    averages = None if average is None else (average.weights(), average.num_updates)
    try:
        yield
    finally:
        for part, arrays in zip(layers, saved, strict=True):
            for name, tensor in part.state_dict().items():
                tensor.set_value(arrays[name])
        learner.optimizer.clear_gradients()
        learner.optimizer.load_state(optimizer)
        learner.optimizer.set_learning_rate(rate)
        learner.precision.scaler = scaler
        if average is not None and averages is not None:
            average.load(*averages)
