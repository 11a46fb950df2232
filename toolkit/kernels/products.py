"""Convolution as matrix products: 1x1 on the images as they lie, larger kernels on columns.

The products are numpy's. Images are taken in groups whose size follows from the shapes alone, so
every sum has the same order however many threads there are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.kernels import column_loops

Array = NDArray[np.float32]
# Places of the output in one product: enough to use the machine, few enough to stay in its cache.
_PLACES = 256
# The same where the images are the columns and only have to be laid side by side.
_FEW_PLACES = 48


@dataclass(frozen=True)
class Geometry:
    """The window of a convolution, the same in both directions."""

    side: int
    stride: int
    padding: int

    @property
    def window(self) -> tuple[int, int, int]:
        """Side, stride and padding, as the loops take them."""
        return self.side, self.stride, self.padding

    @property
    def pointwise(self) -> bool:
        """Whether the columns are the image itself."""
        return (self.side, self.stride, self.padding) == (1, 1, 0)

    def output(self, size: int) -> int:
        """Returns the side of the output for a side of the input."""
        return (size + 2 * self.padding - self.side) // self.stride + 1


def group_size(geometry: Geometry, places: int) -> int:
    """Returns how many images one product takes; `places` is h * w of the output."""
    enough = _FEW_PLACES if geometry.pointwise else _PLACES
    return max(1, enough // places)


def multiply(images: Array, weight: Array, geometry: Geometry, out: Array) -> None:
    """Convolves a group of images [g, c, h, w] with [o, c * k * k] into out [g, o, oh, ow]."""
    group, channels, height, width = out.shape
    columns = _columns(images, weight.shape[1], geometry, out)
    if group == 1:
        np.matmul(weight, columns, out=out.reshape(channels, -1))
        return
    product = (weight @ columns).reshape(channels, group, height, width)
    np.copyto(out, product.transpose(1, 0, 2, 3))


def multiply_back(
    images: Array,
    weight: Array,
    geometry: Geometry,
    gradient: Array,
    weight_gradient: Array,
    images_gradient: Array | None,
) -> None:
    """Computes a group's gradients.

    Args:
        images: [g, c, h, w].
        weight: [o, c * k * k].
        geometry: the window.
        gradient: [g, o, oh, ow], of the output.
        weight_gradient: [o, c * k * k]; the share of this group is added.
        images_gradient: [g, c, h, w], written; None leaves it out.
    """
    columns = _columns(images, weight.shape[1], geometry, gradient)
    lines = gradient.transpose(1, 0, 2, 3).reshape(len(weight), -1)
    weight_gradient += lines @ columns.T
    if images_gradient is None:
        return
    if not geometry.pointwise:
        np.matmul(weight.T, lines, out=columns)
        column_loops.gather(columns, geometry.window, images_gradient)
    elif len(images) == 1:
        np.matmul(weight.T, lines, out=images_gradient.reshape(columns.shape))
    else:
        pulled = (weight.T @ lines).reshape(-1, len(images), *images.shape[2:])
        np.copyto(images_gradient, pulled.transpose(1, 0, 2, 3))


def _columns(images: Array, rows: int, geometry: Geometry, out: Array) -> Array:
    if geometry.pointwise:
        return images.transpose(1, 0, 2, 3).reshape(rows, -1)
    columns = np.empty((rows, len(images) * out.shape[2] * out.shape[3]), dtype=np.float32)
    column_loops.scatter(images, geometry.window, columns)
    return columns
