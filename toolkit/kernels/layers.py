"""Paddle's layers with our operators inside: the same parameters, the same state, other loops.

A layer is changed by giving it another class, so nothing in the network moves: names, parameters,
optimizer and checkpoints stay what they are, and so does a copy. Where an operator does not apply
(a network that is being traced, a GPU, another type of number, an input so small that Paddle is as
fast) the layer does what it did before.
"""

from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor, nn

from toolkit.kernels.convolution import Dense, Depthwise
from toolkit.kernels.norm import Norm, NormActivation, normalise_by_running
from toolkit.kernels.products import Geometry
from toolkit.kernels.workers import Workers

# Activations that the batch norm before them can take along, by the names of `norm_loops`.
_ACTIVATIONS = {
    nn.Identity: "none",
    nn.ReLU: "relu",
    nn.Hardswish: "hardswish",
    nn.ReLU6: "relu6",
}


@dataclass(frozen=True)
class Smallest:
    """How many numbers an input must have at least; below, Paddle is as fast (docs/kernels.md).

    Attributes:
        depthwise: of a depthwise convolution.
        dense: of any other convolution.
        norm: of a batch norm.
    """

    depthwise: int = 16_384
    dense: int = 65_536
    norm: int = 262_144


@dataclass(frozen=True)
class Plan:
    """How a layer computes.

    Attributes:
        workers: the threads that it uses.
        smallest: how many numbers an input must have; below, the layer is Paddle's.
        geometry: the window of a convolution; None for a norm.
    """

    workers: Workers
    smallest: int
    geometry: Geometry | None = None

    def takes(self, x: Tensor) -> bool:
        """Whether an operator of ours can and should compute on x."""
        return bool(
            paddle.in_dynamic_mode()
            and x.place.is_cpu_place()
            and x.dtype == paddle.float32
            and x.ndim == 4
            and x.size >= self.smallest
        )


class DepthwiseConv2D(nn.Conv2D):
    """A depthwise convolution through compiled loops."""

    kernels: Plan

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, c, h, w] to [b, c, oh, ow]."""
        if not self.kernels.takes(x):
            # Not super(): a traced function has no place to look it up.
            return nn.Conv2D.forward(self, x)
        return _convolved(Depthwise, self, x)


class DenseConv2D(nn.Conv2D):
    """A convolution of all channels with all through matrix products."""

    kernels: Plan

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, c, h, w] to [b, o, oh, ow]."""
        if not self.kernels.takes(x):
            return nn.Conv2D.forward(self, x)
        return _convolved(Dense, self, x)


class NormBatchNorm2D(nn.BatchNorm2D):
    """A batch norm through compiled loops, which may take the activation after it along."""

    kernels: Plan

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, c, h, w] to the same shape."""
        return self.followed_by(None, x)

    def followed_by(self, activation: nn.Layer | None, x: Tensor) -> Tensor:
        """Returns activation(norm(x)), in one operator where there is one for it."""
        name = "none" if activation is None else _ACTIVATIONS.get(type(activation))
        inferring = not self.training and not paddle.is_grad_enabled()
        if name is None or not (self.training or inferring) or not self.kernels.takes(x):
            out: Tensor = nn.BatchNorm2D.forward(self, x)
            return out if activation is None else activation(out)
        norm = Norm(self._mean, self._variance, self._momentum, self._epsilon, name)
        compute: Any = normalise_by_running if inferring else NormActivation.apply
        result: Tensor = compute(x, self.weight, self.bias, norm, self.kernels.workers)
        return result


def use_kernels(layer: nn.Layer, workers: Workers, smallest: Smallest) -> bool:
    """Gives one layer our operator, if there is one for exactly what it computes.

    Args:
        layer: any layer; those within it stay.
        workers: the threads to use.
        smallest: from which size of its input on.

    Returns:
        Whether there was one.
    """
    if type(layer) is nn.BatchNorm2D:
        return _use_for_norm(layer, Plan(workers, smallest.norm))
    if type(layer) is nn.Conv2D:
        return _use_for_convolution(layer, workers, smallest)
    return False


def _convolved(operator: Any, layer: Any, x: Tensor) -> Tensor:
    plan: Plan = layer.kernels
    out: Tensor = operator.apply(x, layer.weight, plan.geometry, plan.workers)
    return out if layer.bias is None else out + layer.bias.reshape([1, -1, 1, 1])


def _use_for_norm(layer: Any, plan: Plan) -> bool:
    # Paddle has no public names for what its layers were made with.
    facts = vars(layer)
    if facts["_data_format"] != "NCHW" or facts["_use_global_stats"]:
        return False
    if layer.weight is None or layer.bias is None:
        return False
    layer.__class__, layer.kernels = NormBatchNorm2D, plan
    return True


def _use_for_convolution(layer: Any, workers: Workers, smallest: Smallest) -> bool:
    facts, geometry = vars(layer), _geometry(layer)
    groups, channels = facts["_groups"], facts["_in_channels"]
    if geometry is None:
        return False
    if groups == channels == facts["_out_channels"] and channels > 1:
        layer.__class__, least = DepthwiseConv2D, smallest.depthwise
    elif groups == 1:
        layer.__class__, least = DenseConv2D, smallest.dense
    else:
        return False
    layer.kernels = Plan(workers, least, geometry)
    return True


def _geometry(layer: nn.Layer) -> Geometry | None:
    """Returns the window of a convolution that is the same in both directions, or None."""
    facts = vars(layer)
    padding = facts["_padding"]
    padding = list(padding) if isinstance(padding, list | tuple) else [padding] * 2
    plain = (facts["_data_format"], facts["_padding_mode"]) == ("NCHW", "zeros")
    if not plain or list(facts["_dilation"]) != [1, 1]:
        return None
    pairs = [list(facts["_kernel_size"]), list(facts["_stride"]), padding]
    if any(len(pair) != 2 or pair[0] != pair[1] or not isinstance(pair[0], int) for pair in pairs):
        return None
    return Geometry(*(pair[0] for pair in pairs))
