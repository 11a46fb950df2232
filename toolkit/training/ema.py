"""Averaged weights: a smoother network than any single step leaves behind.

average <- average + (1 - decay) * (weight - average), after each step, for parameters and buffers
alike (the statistics of batch normalisation belong to the weights that made them).

Source: arXiv 1412.6980, section 7.2 (temporal averaging); the warm-up is that of TensorFlow.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from toolkit.errors import WeightsError


class AveragedWeights:
    """Exponential moving average of everything in a network's state.

    Args:
        model: the network that is trained.
        decay: share of the average that a step keeps, in [0, 1); 0.999 averages about 1000 steps.
        warm_up: lets early steps count more: step t keeps at most (1 + t) / (10 + t), so that the
            random start is forgotten.

    Attributes:
        held: beginning of the names of what stays as it is, and is not averaged meanwhile.

    Raises:
        ValueError: the decay is out of range.
    """

    held: str | None = None

    def __init__(self, model: nn.Layer, decay: float, *, warm_up: bool = True) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"The decay of averaged weights must be in [0, 1); got {decay}.")
        self.decay, self.warm_up, self.num_updates = decay, warm_up, 0
        self._model = model
        self._average: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in model.state_dict().items()
        }

    def update(self) -> None:
        """Moves the average towards the weights as they are after a step."""
        decay = self.decay
        if self.warm_up:
            decay = min(decay, (1 + self.num_updates) / (10 + self.num_updates))
        self.num_updates += 1
        with paddle.no_grad():
            for name, tensor in self._model.state_dict().items():
                if self.held is not None and name.startswith(self.held):
                    continue
                average = self._average[name]
                if paddle.is_floating_point(tensor):
                    average.add_((tensor - average) * (1 - decay))
                else:  # a counter has no average
                    average.set_value(tensor)

    def weights(self) -> dict[str, np.ndarray[Any, Any]]:
        """Returns the averages: structured name -> array."""
        return {name: tensor.numpy() for name, tensor in self._average.items()}

    def load(self, weights: Mapping[str, np.ndarray[Any, Any]], num_updates: int) -> None:
        """Puts back what `weights` and `num_updates` were.

        Raises:
            WeightsError: the names or shapes are not those of the network.
        """
        wrong = sorted(
            name
            for name in {*weights, *self._average}
            if name not in weights
            or name not in self._average
            or list(weights[name].shape) != list(self._average[name].shape)
        )
        if wrong:
            raise WeightsError(
                f"The averaged weights do not fit the network: {len(wrong)} names are missing, "
                f"unexpected or of another shape, the first is {wrong[0]!r}. Resume with the "
                f"configuration that the run began with."
            )
        for name, tensor in self._average.items():
            tensor.set_value(weights[name])
        self.num_updates = num_updates

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Lets the network compute with the averages inside the block."""
        with borrowed_weights(self._model, self._average):
            yield


@contextmanager
def borrowed_weights(
    model: nn.Layer, weights: Mapping[str, Tensor | np.ndarray[Any, Any]]
) -> Iterator[None]:
    """Lets a network compute with other weights of the same names and shapes inside the block."""
    state = model.state_dict()
    own = {name: tensor.detach().clone() for name, tensor in state.items()}
    try:
        for name, tensor in state.items():
            tensor.set_value(weights[name])
        yield
    finally:
        for name, tensor in state.items():
            tensor.set_value(own[name])
