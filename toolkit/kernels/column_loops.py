"""Images as the columns that a convolution multiplies, and back.

Row (channel, i, j) of the columns holds, for every place of the output, the pixel that tap (i, j)
of the kernel meets there; zero where that is outside of the image.
"""

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional

numba = import_optional("numba", purpose="Training with compiled kernels")

Array = NDArray[np.float32]


@numba.njit(nogil=True, cache=True, inline="always")
def _inside(tap: int, stride: int, padding: int, size: int, places: int) -> tuple[int, int]:
    """Returns the range of places whose pixel `place * stride + tap - padding` is inside."""
    first = max(0, (padding - tap + stride - 1) // stride)
    return first, max(first, min(places, (size - 1 + padding - tap) // stride + 1))


@numba.njit(nogil=True, cache=True)
def scatter(images: Array, window: tuple[int, int, int], columns: Array) -> None:
    """Writes the columns [c * side * side, g * oh * ow] of images [g, c, h, w].

    Args:
        images: read.
        window: side, stride and padding.
        columns: written.
    """
    (side, stride, padding), (group, channels, rows, pixels) = window, images.shape
    height = (rows + 2 * padding - side) // stride + 1
    width = (pixels + 2 * padding - side) // stride + 1
    lines = columns.reshape(channels * side * side, group, height, width)
    for line in range(lines.shape[0]):
        channel, i, j = line // (side * side), line // side % side, line % side
        left, right = _inside(j, stride, padding, pixels, width)
        top, bottom = _inside(i, stride, padding, rows, height)
        for image in range(group):
            target = lines[line, image]
            target[:top] = 0
            target[bottom:] = 0
            for row in range(top, bottom):
                source = images[image, channel, row * stride + i - padding]
                target[row, :left] = 0
                target[row, right:] = 0
                shift = j - padding
                if stride == 1:
                    for place in range(left, right):
                        target[row, place] = source[place + shift]
                else:
                    for place in range(left, right):
                        target[row, place] = source[place * stride + shift]


@numba.njit(nogil=True, cache=True)
def gather(columns: Array, window: tuple[int, int, int], images: Array) -> None:
    """Writes into images [g, c, h, w] the sum of all that `scatter` copied from each pixel."""
    (side, stride, padding), (group, channels, rows, pixels) = window, images.shape
    height = (rows + 2 * padding - side) // stride + 1
    width = (pixels + 2 * padding - side) // stride + 1
    lines = columns.reshape(channels * side * side, group, height, width)
    images[:] = 0
    for line in range(lines.shape[0]):
        channel, i, j = line // (side * side), line // side % side, line % side
        left, right = _inside(j, stride, padding, pixels, width)
        top, bottom = _inside(i, stride, padding, rows, height)
        shift = j - padding
        for image in range(group):
            for row in range(top, bottom):
                target = images[image, channel, row * stride + i - padding]
                source = lines[line, image, row]
                if stride == 1:
                    for place in range(left, right):
                        target[place + shift] += source[place]
                else:
                    for place in range(left, right):
                        target[place * stride + shift] += source[place]
