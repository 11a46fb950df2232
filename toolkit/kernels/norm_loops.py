"""Batch norm followed by an activation, forward and backward, in two passes over memory each.

A plane is the [h * w] values of one channel of one image; planes lie channel by channel, image by
image. Every pass keeps sums for each plane, which are put together afterwards in a fixed order.
What belongs to a channel stands in a row of `constants`: mean, gain (scale over standard
deviation), bias and, for the way back, offset and tilt.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional

numba = import_optional("numba", purpose="Training with compiled kernels")

Array = NDArray[np.float32]
# The activations that can follow, each by its number in the loops.
ACTIVATIONS = {"none": 0, "relu": 1, "hardswish": 2, "relu6": 3}
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_THREE, _SIX = np.float32(3), np.float32(6)
# A product and a sum may become one instruction; the order of sums stays as it is written.
_ORDERED = {"contract"}
# Here the compiler may split a long sum into the lanes of a vector, the same way in every run.
_LANES = {"contract", "reassoc", "nsz"}


@numba.njit(nogil=True, cache=True, fastmath=_LANES)
def moments(planes: Array, sums: Array, start: int, stop: int) -> None:
    """Sums the values of every plane, and the squares of their distances from its own mean.

    Args:
        planes: [planes, n].
        sums: [planes, 2], written.
        start: the first plane.
        stop: the plane behind the last.
    """
    for number in range(start, stop):
        plane = planes[number]
        total = _ZERO
        for i in range(plane.shape[0]):
            total += plane[i]
        mean = total / np.float32(plane.shape[0])
        square = _ZERO
        for i in range(plane.shape[0]):
            square += (plane[i] - mean) * (plane[i] - mean)
        sums[number, 0], sums[number, 1] = total, square


@numba.njit(nogil=True, cache=True, fastmath=_ORDERED)
def normalise(
    planes: Array, constants: Array, activation: int, out: Array, start: int, stop: int
) -> None:
    """Writes activation((x - mean) * gain + bias).

    Args:
        planes: [planes, n].
        constants: [channels, 3 or more].
        activation: a number of ACTIVATIONS.
        out: [planes, n], written.
        start: the first plane.
        stop: the plane behind the last.
    """
    for number in range(start, stop):
        plane, target = planes[number], out[number]
        row = constants[number % constants.shape[0]]
        # The activation is a constant in each branch, so there is no branch in the loop inside.
        if activation == 0:
            _normalise(plane, row, 0, target)
        elif activation == 1:
            _normalise(plane, row, 1, target)
        elif activation == 2:
            _normalise(plane, row, 2, target)
        else:
            _normalise(plane, row, 3, target)


@numba.njit(nogil=True, cache=True, fastmath=_LANES)
def gradient_sums(
    planes: Array,
    constants: Array,
    activation: int,
    gradient: Array,
    sums: Array,
    start: int,
    stop: int,
) -> None:
    """Sums over every plane the gradient g before the activation, and g * (x - mean).

    Args:
        planes: [planes, n], what was normalised.
        constants: [channels, 3 or more].
        activation: a number of ACTIVATIONS.
        gradient: [planes, n], of the output.
        sums: [planes, 2], written.
        start: the first plane.
        stop: the plane behind the last.
    """
    for number in range(start, stop):
        plane, given = planes[number], gradient[number]
        row = constants[number % constants.shape[0]]
        if activation == 0:
            pair = _sums(plane, row, 0, given)
        elif activation == 1:
            pair = _sums(plane, row, 1, given)
        elif activation == 2:
            pair = _sums(plane, row, 2, given)
        else:
            pair = _sums(plane, row, 3, given)
        sums[number, 0], sums[number, 1] = pair


@numba.njit(nogil=True, cache=True, fastmath=_ORDERED)
def pull_back(
    planes: Array,
    constants: Array,
    activation: int,
    gradient: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """Writes gain * (g - offset - (x - mean) * tilt), the gradient before the norm.

    Args:
        planes: [planes, n], what was normalised.
        constants: [channels, 5]; the offset is the mean of g, the tilt the mean of g * (x - mean)
            over the variance.
        activation: a number of ACTIVATIONS.
        gradient: [planes, n], of the output.
        out: [planes, n], written.
        start: the first plane.
        stop: the plane behind the last.
    """
    for number in range(start, stop):
        plane, given, target = planes[number], gradient[number], out[number]
        row = constants[number % constants.shape[0]]
        if activation == 0:
            _pull(plane, row, 0, given, target)
        elif activation == 1:
            _pull(plane, row, 1, given, target)
        elif activation == 2:
            _pull(plane, row, 2, given, target)
        else:
            _pull(plane, row, 3, given, target)


@numba.njit(nogil=True, cache=True, fastmath=_ORDERED, inline="always")
def _normalise(plane: Array, constants: Array, activation: int, out: Array) -> None:
    mean, gain, bias = constants[0], constants[1], constants[2]
    for i in range(plane.shape[0]):
        out[i] = _activate((plane[i] - mean) * gain + bias, activation)


@numba.njit(nogil=True, cache=True, fastmath=_LANES, inline="always")
def _sums(plane: Array, constants: Array, activation: int, gradient: Array) -> Any:
    mean, gain, bias = constants[0], constants[1], constants[2]
    total, product = _ZERO, _ZERO
    for i in range(plane.shape[0]):
        distance = plane[i] - mean
        inner = gradient[i] * _slope(distance * gain + bias, activation)
        total += inner
        product += inner * distance
    return total, product


@numba.njit(nogil=True, cache=True, fastmath=_ORDERED, inline="always")
def _pull(plane: Array, constants: Array, activation: int, gradient: Array, out: Array) -> None:
    mean, gain, bias = constants[0], constants[1], constants[2]
    offset, tilt = constants[3], constants[4]
    for i in range(plane.shape[0]):
        distance = plane[i] - mean
        inner = gradient[i] * _slope(distance * gain + bias, activation)
        out[i] = gain * (inner - offset - distance * tilt)


@numba.njit(nogil=True, cache=True, inline="always")
def _activate(u: Any, activation: int) -> Any:
    if activation == 1:
        return u if u > _ZERO else _ZERO
    if activation == 2:
        return u * min(max(u + _THREE, _ZERO), _SIX) / _SIX
    if activation == 3:
        return min(max(u, _ZERO), _SIX)
    return u


@numba.njit(nogil=True, cache=True, inline="always")
def _slope(u: Any, activation: int) -> Any:
    """The derivative of an activation, as Paddle has it at the kinks."""
    if activation == 1:
        return _ONE if u > _ZERO else _ZERO
    if activation == 2:
        inner = u / _THREE + _HALF
        inner = inner if u < _THREE else _ONE
        return inner if u > -_THREE else _ZERO
    if activation == 3:
        return _ONE if (u > _ZERO) and (u < _SIX) else _ZERO
    return _ONE
