"""Depthwise convolution of single planes, in loops that a compiler turns into vector code.

A plane is spread into `stride` x `stride` phases of the padded plane: phase (i, j) holds the rows
i, i + stride, ... and the columns j, j + stride, ... With that, every tap of the kernel is one
shift of one phase, whatever the stride, and a plane is convolved as one long line: position
`row * columns + column` of the output reads position + shift. What is computed between the end of
a row and the start of the next is left out at the end.
"""

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional

numba = import_optional("numba", purpose="Training with compiled kernels")

Array = NDArray[np.float32]
# A product and a sum may become one instruction; the order of sums stays as it is written.
_ORDERED = {"contract"}
# Here the compiler may split a long sum into the lanes of a vector, the same way in every run.
_LANES = {"contract", "reassoc", "nsz"}
# Lines are computed up to a multiple of this, so that no rest is left for slow scalar code.
_STRIDE_OF_LOOPS = 64
# About how many positions of a line are computed at a time, to stay in the fastest cache.
_BLOCK = 1024


@numba.njit(nogil=True, cache=True)
def forward(
    images: Array, kernels: Array, window: tuple[int, int], out: Array, start: int, stop: int
) -> None:
    """Convolves the planes `start` to `stop`.

    Args:
        images: [planes, h, w], the channels of one image after the other.
        kernels: [channels, k, k].
        window: stride, and zeros on every side.
        out: [planes, oh, ow], written.
        start: the first plane.
        stop: the plane behind the last.
    """
    (stride, padding), side = window, kernels.shape[1]
    height, width = out.shape[1:]
    phases, columns = _phases_of(images, padding, stride)
    block = max(1, _BLOCK // columns)
    total = np.empty(_whole(block * columns), dtype=np.float32)
    for plane in range(start, stop):
        _spread(images[plane], padding, stride, phases, columns)
        kernel = kernels[plane % kernels.shape[0]]
        for top in range(0, height, block):
            rows = min(block, height - top)
            part = total[: _whole((rows - 1) * columns + width)]
            for i in range(part.shape[0]):
                part[i] = 0
            for i in range(side):
                shift = (top + i // stride) * columns
                for j in range(min(stride, side)):
                    source = phases[i % stride * stride + j, shift:]
                    _add_taps(part, source, kernel[i, j::stride])
            for row in range(rows):
                _fill(out[plane, top + row], total[row * columns :])


@numba.njit(nogil=True, cache=True)
def backward(
    images: Array,
    kernels: Array,
    window: tuple[int, int],
    gradient: Array,
    gradients: tuple[Array, Array],
    start: int,
    stop: int,
) -> None:
    """Computes the gradients of the planes `start` to `stop`.

    Args:
        images: [planes, h, w].
        kernels: [channels, k, k].
        window: stride, and zeros on every side.
        gradient: [planes, oh, ow], of the output.
        gradients: written: of the images [planes, h, w] (without planes it is left out), and of
            the kernels [planes, k, k], the share of every plane.
        start: the first plane.
        stop: the plane behind the last.
    """
    (stride, padding), side = window, kernels.shape[1]
    images_gradient, kernels_gradient = gradients
    height, width = gradient.shape[1:]
    phases, columns = _phases_of(images, padding, stride)
    back = np.zeros_like(phases)
    # The gradient as one line with the columns of a phase, zeros between its rows and around it.
    margin = (side - 1) // stride * (columns + 1)
    line = np.zeros(margin + phases.shape[1], dtype=np.float32)
    own = line[margin : margin + _whole((height - 1) * columns + width)]
    size = _whole((images.shape[1] + 2 * padding + stride - 1) // stride * columns)
    for plane in range(start, stop):
        _spread(images[plane], padding, stride, phases, columns)
        kernel = kernels[plane % kernels.shape[0]]
        for row in range(height):
            _lay(gradient[plane, row], line[margin + row * columns :])
        for i in range(side):
            for j in range(min(stride, side)):
                source = phases[i % stride * stride + j, i // stride * columns :]
                _correlate(own, source, kernels_gradient[plane, i, j::stride])
        if images_gradient.shape[0] > 0:
            back[:] = 0
            for i in range(side):
                for j in range(min(stride, side)):
                    taps = kernel[i, j::stride][::-1]
                    begin = margin - i // stride * columns - (taps.shape[0] - 1)
                    target = back[i % stride * stride + j, :size]
                    _add_taps(target, line[begin:], taps)
            _collect(back, columns, padding, stride, images_gradient[plane])


@numba.njit(nogil=True, cache=True)
def _whole(length: int) -> int:
    return (length + _STRIDE_OF_LOOPS - 1) // _STRIDE_OF_LOOPS * _STRIDE_OF_LOOPS


@numba.njit(nogil=True, cache=True)
def _phases_of(images: Array, padding: int, stride: int) -> tuple[Array, int]:
    """Returns room for the phases of a plane, zero, and how many columns a phase has.

    Behind each phase there is room for what a line reads and writes beyond its end.
    """
    height, width = images.shape[1:]
    rows = (height + 2 * padding + stride - 1) // stride
    columns = (width + 2 * padding + stride - 1) // stride
    room = (rows + 1) * columns + 2 * _STRIDE_OF_LOOPS
    return np.zeros((stride * stride, room), dtype=np.float32), columns


@numba.njit(nogil=True, cache=True)
def _spread(plane: Array, padding: int, stride: int, phases: Array, columns: int) -> None:
    """Writes a plane [h, w] into its phases, whose border stays zero."""
    width = plane.shape[1]
    for row in range(plane.shape[0]):
        above = (row + padding) // stride * columns
        first_phase = (row + padding) % stride * stride
        for phase in range(stride):
            first = (phase - padding) % stride
            place = above + (first + padding) // stride
            target = phases[first_phase + phase, place:]
            if stride == 1:
                _lay(plane[row], target)
            else:
                for i in range((width - first + stride - 1) // stride):
                    target[i] = plane[row, first + i * stride]


@numba.njit(nogil=True, cache=True)
def _collect(phases: Array, columns: int, padding: int, stride: int, plane: Array) -> None:
    """The way back of `_spread`: reads a plane [h, w] from its phases."""
    width = plane.shape[1]
    for row in range(plane.shape[0]):
        above = (row + padding) // stride * columns
        first_phase = (row + padding) % stride * stride
        for phase in range(stride):
            first = (phase - padding) % stride
            place = above + (first + padding) // stride
            source = phases[first_phase + phase, place:]
            if stride == 1:
                _fill(plane[row], source)
            else:
                for i in range((width - first + stride - 1) // stride):
                    plane[row, first + i * stride] = source[i]


@numba.njit(nogil=True, cache=True)
def _lay(source: Array, target: Array) -> None:
    """Writes all of the source to the beginning of the target."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@numba.njit(nogil=True, cache=True)
def _fill(target: Array, source: Array) -> None:
    """Writes all of the target from the beginning of the source."""
    for i in range(target.shape[0]):
        target[i] = source[i]


@numba.njit(nogil=True, cache=True, fastmath=_ORDERED)
def _add_taps(total: Array, source: Array, taps: Array) -> None:
    """total[i] += sum over t of taps[t] * source[i + t], in one pass up to three taps or five."""
    length, count = total.shape[0], taps.shape[0]
    if count == 1:
        a = taps[0]
        for i in range(length):
            total[i] += a * source[i]
    elif count == 2:
        a, b = taps[0], taps[1]
        for i in range(length):
            total[i] += a * source[i] + b * source[i + 1]
    elif count == 3:
        a, b, c = taps[0], taps[1], taps[2]
        for i in range(length):
            total[i] += a * source[i] + b * source[i + 1] + c * source[i + 2]
    elif count == 5:
        a, b, c, d, e = taps[0], taps[1], taps[2], taps[3], taps[4]
        for i in range(length):
            near = a * source[i] + b * source[i + 1] + c * source[i + 2]
            total[i] += near + d * source[i + 3] + e * source[i + 4]
    else:
        for tap in range(count):
            _add_taps(total, source[tap:], taps[tap : tap + 1])


@numba.njit(nogil=True, cache=True, fastmath=_LANES)
def _correlate(values: Array, source: Array, sums: Array) -> None:
    """sums[t] = sum over i of values[i] * source[i + t]."""
    length, tap = values.shape[0], 0
    while tap + 3 <= sums.shape[0]:
        shifted = source[tap:]
        a = b = c = np.float32(0)
        for i in range(length):
            a += values[i] * shifted[i]
            b += values[i] * shifted[i + 1]
            c += values[i] * shifted[i + 2]
        sums[tap], sums[tap + 1], sums[tap + 2] = a, b, c
        tap += 3
    while tap < sums.shape[0]:
        shifted = source[tap:]
        a = np.float32(0)
        for i in range(length):
            a += values[i] * shifted[i]
        sums[tap] = a
        tap += 1
