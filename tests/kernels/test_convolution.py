"""Our convolutions against single products, and against Paddle's on larger shapes."""

import numpy as np
import paddle
import pytest
from paddle.nn import functional

from tests.kernels.conftest import close, normal, trained
from tests.kernels.slow_loops import convolve, pull_convolution
from toolkit.kernels.convolution import Dense, Depthwise
from toolkit.kernels.products import Geometry
from toolkit.kernels.workers import Workers

# side, stride, padding, height, width
WINDOWS = [
    (3, 1, 1, 5, 7),
    (3, 2, 1, 6, 5),
    (5, 1, 2, 4, 9),
    (5, 2, 2, 7, 6),
    (1, 1, 0, 3, 4),
    (1, 2, 0, 5, 4),
    (3, 1, 0, 4, 5),
    (7, 3, 3, 9, 8),
    (4, 2, 1, 6, 8),
    (3, 2, 0, 3, 3),
    (5, 4, 1, 11, 6),
    (3, 1, 2, 1, 1),
]


def run(operator, images, weight, window, gradient, workers):
    """Forward and backward through the tape."""
    x, w = trained(images), trained(weight)
    out = operator.apply(x, w, Geometry(*window), workers)
    out.backward(paddle.to_tensor(gradient))
    return out.numpy(), x.grad.numpy(), w.grad.numpy()


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("operator", [Depthwise, Dense])
def test_computes_each_product(operator, window, batch, workers):
    side, stride, padding, height, width = window
    images = normal(0, batch, 3, height, width)
    groups = 3 if operator is Depthwise else 1
    weight = normal(1, 3 if groups == 3 else 4, 3 // groups, side, side)
    wanted = convolve(images, weight, stride, padding, groups)
    gradient = normal(2, *wanted.shape)
    found = run(operator, images, weight, (side, stride, padding), gradient, workers)
    close(found[0], wanted)
    of_images, of_weight = pull_convolution(images, weight, stride, padding, gradient, groups)
    close(found[1], of_images)
    close(found[2], of_weight)


# batch, channels, height, width, outputs (0: depthwise), side, stride
LARGER = [
    (4, 6, 112, 112, 0, 3, 1),
    (4, 6, 111, 113, 0, 3, 2),
    (4, 16, 14, 14, 0, 5, 1),
    (3, 16, 14, 15, 0, 5, 2),
    (2, 24, 7, 7, 0, 5, 1),
    (1, 8, 56, 20, 0, 1, 1),
    (4, 3, 65, 64, 8, 3, 2),
    (4, 16, 28, 28, 24, 1, 1),
    (33, 16, 1, 1, 24, 1, 1),
    (5, 16, 4, 4, 8, 3, 1),
    (9, 16, 16, 16, 8, 1, 2),
    (9, 12, 16, 12, 8, 3, 1),
]


@pytest.mark.parametrize("shape", LARGER, ids=str)
def test_equals_paddle(shape, workers):
    batch, channels, height, width, outputs, side, stride = shape
    images = normal(0, batch, channels, height, width)
    weight = normal(1, outputs or channels, 1 if not outputs else channels, side, side)
    x, w = trained(images), trained(weight)
    groups = 1 if outputs else channels
    out = functional.conv2d(x, w, stride=stride, padding=side // 2, groups=groups)
    gradient = normal(2, *out.shape)
    out.backward(paddle.to_tensor(gradient))
    operator = Dense if outputs else Depthwise
    found = run(operator, images, weight, (side, stride, side // 2), gradient, workers)
    for ours, theirs in zip(found, (out, x.grad, w.grad), strict=True):
        close(ours, theirs.numpy())


@pytest.mark.parametrize("shape", LARGER, ids=str)
def test_the_number_of_threads_changes_no_bit(shape):
    batch, channels, height, width, outputs, side, stride = shape
    images = normal(0, batch, channels, height, width)
    weight = normal(1, outputs or channels, 1 if not outputs else channels, side, side)
    window, operator = (side, stride, side // 2), Dense if outputs else Depthwise
    out = operator.apply(trained(images), trained(weight), Geometry(*window), Workers(1))
    gradient = normal(2, *out.shape)
    once, *others = [
        run(operator, images, weight, window, gradient, Workers(threads)) for threads in (1, 2, 5)
    ]
    for other in others:
        for one, another in zip(once, other, strict=True):
            np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("operator", [Depthwise, Dense])
def test_images_that_want_no_gradient_get_none(operator, workers):
    images, groups = normal(0, 2, 3, 6, 6), 3 if operator is Depthwise else 1
    weight = normal(1, 3, 3 // groups, 3, 3)
    x, w = paddle.to_tensor(images), trained(weight)
    out = operator.apply(x, w, Geometry(3, 1, 1), workers)
    gradient = normal(2, *out.shape)
    out.backward(paddle.to_tensor(gradient))
    assert x.grad is None
    close(w.grad.numpy(), pull_convolution(images, weight, 1, 1, gradient, groups)[1])


@pytest.mark.parametrize("operator", [Depthwise, Dense])
def test_reads_views_and_adds_to_gradients_that_are_there(operator, workers):
    images, groups = normal(0, 2, 6, 6, 3), 3 if operator is Depthwise else 1
    weight = normal(1, 3, 3 // groups, 3, 3)
    x, w = trained(images), trained(weight)
    for _ in range(2):
        out = operator.apply(x.transpose([0, 3, 1, 2]), w, Geometry(3, 1, 1), workers)
        out.transpose([0, 2, 3, 1]).sum().backward()
    channels_first = images.transpose(0, 3, 1, 2)
    wanted = pull_convolution(channels_first, weight, 1, 1, np.ones(out.shape), groups)
    close(x.grad.numpy(), 2 * wanted[0].transpose(0, 2, 3, 1))
    close(w.grad.numpy(), 2 * wanted[1])
