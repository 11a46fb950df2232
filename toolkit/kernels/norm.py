"""Batch norm and the activation after it as one operator of Paddle's gradient tape.

Source: Ioffe and Szegedy, Batch Normalization, 2015, algorithm 1 and the gradients of section 3.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle import Tensor
from paddle.autograd import PyLayer

from toolkit.kernels import norm_loops
from toolkit.kernels.memory import array_of, dense, empty
from toolkit.kernels.workers import Workers, least_planes

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Norm:
    """What a batch norm is, but for its two parameters.

    Attributes:
        mean: the running mean [c], moved in training.
        variance: the running variance [c], the biased one as in Paddle.
        momentum: the share of the running moments that a step keeps.
        epsilon: added to the variance.
        activation: a name of ACTIVATIONS, for what follows.
    """

    mean: Tensor
    variance: Tensor
    momentum: float
    epsilon: float
    activation: str


class NormActivation(PyLayer):
    """activation((x - mean) / sqrt(variance + epsilon) * weight + bias) over a batch."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: Norm, workers: Workers
    ) -> Tensor:
        """Normalises [b, c, h, w] by the moments of the batch, and moves the running ones."""
        x = dense(x)
        mean, variance = _moments(_planes(x), x.shape[1], workers)
        for buffer, value in ((norm.mean, mean), (norm.variance, variance)):
            running = array_of(buffer)
            running *= np.float32(norm.momentum)
            running += value * np.float32(1 - norm.momentum)
        ctx.deviation = np.sqrt(variance + np.float32(norm.epsilon))
        ctx.constants = _constants(mean, ctx.deviation, weight, bias)
        ctx.plan = norm_loops.ACTIVATIONS[norm.activation], workers
        ctx.save_for_backward(x)
        return _normalised(x, ctx.constants, *ctx.plan)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the gradients of x, weight and bias."""
        (x,), gradient = ctx.saved_tensor(), dense(gradients[0])
        (activation, workers), constants = ctx.plan, ctx.constants
        planes, given, channels = _planes(x), _planes(gradient), x.shape[1]
        sums = np.empty((len(planes), 2), dtype=np.float32)
        workers.run(
            lambda start, stop: norm_loops.gradient_sums(
                planes, constants, activation, given, sums, start, stop
            ),
            len(planes),
            least_planes(planes),
        )
        total, product = sums.reshape(-1, channels, 2).sum(axis=0, dtype=np.float64).T
        count = planes.size // channels
        constants[:, 3] = total / count
        constants[:, 4] = product / count / ctx.deviation.astype(np.float64) ** 2
        of_x, of_weight, of_bias = empty(*x.shape), empty(channels), empty(channels)
        target = _planes(of_x)
        workers.run(
            lambda start, stop: norm_loops.pull_back(
                planes, constants, activation, given, target, start, stop
            ),
            len(planes),
            least_planes(planes),
        )
        array_of(of_weight)[:] = product / ctx.deviation
        array_of(of_bias)[:] = total
        return of_x, of_weight, of_bias


def normalise_by_running(
    x: Tensor, weight: Tensor, bias: Tensor, norm: Norm, workers: Workers
) -> Tensor:
    """Does what the operator does when not training: by the running moments, no gradient."""
    deviation = np.sqrt(array_of(norm.variance) + np.float32(norm.epsilon))
    constants = _constants(array_of(norm.mean), deviation, weight, bias)
    return _normalised(dense(x), constants, norm_loops.ACTIVATIONS[norm.activation], workers)


def _planes(tensor: Tensor) -> Array:
    return array_of(tensor).reshape(tensor.shape[0] * tensor.shape[1], -1)


def _moments(planes: Array, channels: int, workers: Workers) -> tuple[Array, Array]:
    """Returns mean and biased variance of every channel, [channels] each.

    The variance of a channel is put together from those of its planes (Chan et al., Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979), so a large mean costs
    no accuracy.
    """
    sums = np.empty((len(planes), 2), dtype=np.float32)
    workers.run(
        lambda start, stop: norm_loops.moments(planes, sums, start, stop),
        len(planes),
        least_planes(planes),
    )
    totals, squares = np.moveaxis(sums.reshape(-1, channels, 2).astype(np.float64), 2, 0)
    means = totals / planes.shape[1]
    mean = means.mean(axis=0)
    between = ((means - mean) ** 2).mean(axis=0)
    within = squares.sum(axis=0) / (len(squares) * planes.shape[1])
    return mean.astype(np.float32), (within + between).astype(np.float32)


def _constants(mean: Array, deviation: Array, weight: Tensor, bias: Tensor) -> Array:
    """Returns the loops' rows, offset and tilt still zero."""
    constants = np.zeros((len(mean), 5), dtype=np.float32)
    constants[:, 0], constants[:, 1] = mean, array_of(weight) / deviation
    constants[:, 2] = array_of(bias)
    return constants


def _normalised(x: Tensor, constants: Array, activation: int, workers: Workers) -> Tensor:
    out = empty(*x.shape)
    planes, target = _planes(x), _planes(out)
    workers.run(
        lambda start, stop: norm_loops.normalise(
            planes, constants, activation, target, start, stop
        ),
        len(planes),
        least_planes(planes),
    )
    return out
