"""Convolutions as operators of Paddle's gradient tape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle import Tensor
from paddle.autograd import PyLayer

from toolkit.kernels import depthwise_loops, products
from toolkit.kernels.memory import array_of, dense, empty
from toolkit.kernels.products import Geometry
from toolkit.kernels.workers import Workers, least_planes

Array = NDArray[np.float32]
# Into how many sums the gradient of a weight is split, so that threads can share the work. It must
# not depend on the number of threads: the order of the sums would.
_PARTS = 8


class Depthwise(PyLayer):
    """A convolution of every channel with a kernel of its own."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry, workers: Workers
    ) -> Tensor:
        """Convolves x [b, c, h, w] with weight [c, 1, k, k]."""
        x, weight = dense(x), dense(weight)
        out = empty(*x.shape[:2], *(geometry.output(size) for size in x.shape[2:]))
        planes, kernels, target = _planes(x), _kernels(weight), _planes(out)
        window = geometry.stride, geometry.padding
        workers.run(
            lambda start, stop: depthwise_loops.forward(
                planes, kernels, window, target, start, stop
            ),
            len(planes),
            least_planes(planes),
        )
        ctx.save_for_backward(x, weight)
        ctx.plan = geometry, workers, not x.stop_gradient
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Returns the gradients of x and weight."""
        x, weight = ctx.saved_tensor()
        geometry, workers, wanted = ctx.plan
        gradient = dense(gradients[0])
        x_gradient = empty(*x.shape) if wanted else None
        planes, kernels, given = _planes(x), _kernels(weight), _planes(gradient)
        target = planes[:0] if x_gradient is None else _planes(x_gradient)
        shares = np.empty((len(planes), *kernels.shape[1:]), dtype=np.float32)
        window = geometry.stride, geometry.padding
        workers.run(
            lambda start, stop: depthwise_loops.backward(
                planes, kernels, window, given, (target, shares), start, stop
            ),
            len(planes),
            least_planes(planes),
        )
        return x_gradient, _summed(shares.reshape(x.shape[0], -1), weight)


class Dense(PyLayer):
    """A convolution of all channels with all, as matrix products."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry, workers: Workers
    ) -> Tensor:
        """Convolves x [b, c, h, w] with weight [o, c, k, k]."""
        x, weight = dense(x), dense(weight)
        height, width = (geometry.output(size) for size in x.shape[2:])
        out = empty(x.shape[0], weight.shape[0], height, width)
        images, matrix, target = array_of(x), _matrix(weight), array_of(out)
        size = products.group_size(geometry, height * width)

        def work(start: int, stop: int) -> None:
            for group in range(start, stop):
                part = slice(group * size, (group + 1) * size)
                products.multiply(images[part], matrix, geometry, target[part])

        workers.run_products(work, -(-len(images) // size))
        ctx.save_for_backward(x, weight)
        ctx.plan = geometry, workers, not x.stop_gradient, size
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Returns the gradients of x and weight."""
        x, weight = ctx.saved_tensor()
        geometry, workers, wanted, size = ctx.plan
        gradient = dense(gradients[0])
        x_gradient = empty(*x.shape) if wanted else None
        images, matrix, given = array_of(x), _matrix(weight), array_of(gradient)
        groups = -(-len(images) // size)
        parts = min(groups, _PARTS)
        shares = empty(parts, *matrix.shape)
        target = None if x_gradient is None else array_of(x_gradient)

        sums = array_of(shares)

        def work(start: int, stop: int) -> None:
            for number in range(start, stop):
                sums[number] = 0
                for group in range(groups * number // parts, groups * (number + 1) // parts):
                    part = slice(group * size, (group + 1) * size)
                    products.multiply_back(
                        images[part], matrix, geometry, given[part], sums[number],
                        None if target is None else target[part],
                    )  # fmt: skip

        workers.run_products(work, parts)
        return x_gradient, _summed(sums.reshape(parts, -1), weight)


def _planes(tensor: Tensor) -> Array:
    return array_of(tensor).reshape(-1, *tensor.shape[2:])


def _kernels(weight: Tensor) -> Array:
    return array_of(weight).reshape(weight.shape[0], *weight.shape[2:])


def _matrix(weight: Tensor) -> Array:
    return array_of(weight).reshape(weight.shape[0], -1)


def _summed(shares: Array, weight: Tensor) -> Tensor:
    """Adds up shares [n, size of weight], one after the other, as a gradient of the weight."""
    gradient = empty(*weight.shape)
    np.sum(shares, axis=0, out=array_of(gradient).reshape(-1))
    return gradient
