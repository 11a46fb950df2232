"""Our weights in the layout of TensorFlow's networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.conformance.seeded import Array


@dataclass(frozen=True)
class Unit:
    """The weights of one convolution of ours and of the batch norm after it.

    TensorFlow's networks have norms without a gain. A gain on the norm's output is a gain on the
    kernels and on the mean that is taken off, so theirs get ours there.

    Attributes:
        name: of the unit: of the layer that holds both, or of the convolution alone.
        kernel: [height, width, in, out]; of a depthwise one [height, width, in, out / in].
        bias: of the convolution.
        norm: shift, running mean and running variance.
    """

    name: str
    kernel: Array
    bias: Array | None
    norm: tuple[Array, Array, Array] | None


def units(network: Any) -> list[Unit]:
    """Returns all convolutions of a network of ours, in the order in which it names them."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    return [_unit(name, state) for name, value in state.items() if value.ndim == 4]


def _unit(name: str, state: dict[str, Array]) -> Unit:
    conv = name.removesuffix(".weight")
    unit = conv.removesuffix(".conv")
    kernel, bias = state[name], state.get(f"{conv}.bias")
    if unit == conv:
        return Unit(unit, _layout(kernel), bias, None)
    gain = state[f"{unit}.bn.weight"]
    mean, variance = state[f"{unit}.bn._mean"] * gain, state[f"{unit}.bn._variance"]
    shift = state[f"{unit}.bn.bias"]
    return Unit(unit, _layout(kernel * gain[:, None, None, None]), bias, (shift, mean, variance))


def _layout(kernel: Array) -> Array:
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
