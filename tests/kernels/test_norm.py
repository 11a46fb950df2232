"""Batch norm with its activation against the definition, against Paddle, and bit by bit."""

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.nn import functional

from tests.kernels.conftest import close, normal, trained
from tests.kernels.slow_loops import all_places, normalise, slope_by_difference
from toolkit.kernels.norm import Norm, NormActivation, normalise_by_running
from toolkit.kernels.workers import Workers

ACTIVATIONS = {
    "none": lambda u: u,
    "relu": lambda u: np.maximum(u, 0),
    "hardswish": lambda u: u * np.clip(u + 3, 0, 6) / 6,
    "relu6": lambda u: np.clip(u, 0, 6),
}
# The gain is large, so that every piece of every activation is met.
GAIN, EPSILON = 4.0, 1e-5


def norm_of(channels, activation):
    return Norm(paddle.zeros([channels]), paddle.ones([channels]), 0.9, EPSILON, activation)


def run(images, weight, bias, norm, gradient, workers):
    x, w, b = trained(images), trained(weight), trained(bias)
    out = NormActivation.apply(x, w, b, norm, workers)
    out.backward(paddle.to_tensor(gradient))
    return [tensor.numpy() for tensor in (out, x.grad, w.grad, b.grad)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_follows_the_definition(activation, workers):
    images, weight, bias = normal(0, 2, 2, 3, 2), GAIN * normal(1, 2), normal(2, 2)
    gradient = normal(3, *images.shape)

    def function(x=images, w=weight, b=bias):
        return ACTIVATIONS[activation](normalise(x, w, b, EPSILON)[0])

    out, *found = run(images, weight, bias, norm_of(2, activation), gradient, workers)
    close(out, function())
    for argument, values, ours in zip(
        "xwb", (images, weight, bias), found, strict=True
    ):  # fmt: skip
        wanted = slope_by_difference(
            lambda moved, argument=argument: function(**{argument: moved}),
            values, gradient, all_places(values.shape),
        )  # fmt: skip
        close(ours.ravel(), wanted, 2e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(4, 6, 56, 57), (5, 16, 7, 7), (32, 24, 1, 1), (1, 3, 9, 5)])
def test_equals_paddle(activation, shape, workers):
    channels = shape[1]
    images, weight, bias = normal(0, *shape) + 2, GAIN * normal(1, channels), normal(2, channels)
    gradient = normal(3, *shape)
    layer = nn.BatchNorm2D(channels, epsilon=EPSILON)
    layer.weight.set_value(weight)
    layer.bias.set_value(bias)
    x = trained(images)
    after = {"none": lambda u: u, "relu": functional.relu}
    after |= {"hardswish": functional.hardswish, "relu6": functional.relu6}
    out = after[activation](layer(x))
    out.backward(paddle.to_tensor(gradient))
    norm = norm_of(channels, activation)
    found = run(images, weight, bias, norm, gradient, workers)
    wanted = (out, x.grad, layer.weight.grad, layer.bias.grad)
    for ours, theirs in zip(found, wanted, strict=True):
        close(ours, theirs.numpy())
    close(norm.mean.numpy(), layer._mean.numpy())
    close(norm.variance.numpy(), layer._variance.numpy())


def test_moves_the_running_moments_by_a_tenth_with_the_biased_variance(workers):
    images = normal(0, 3, 2, 4, 4) + 5
    norm = norm_of(2, "none")
    NormActivation.apply(
        paddle.to_tensor(images), paddle.ones([2]), paddle.zeros([2]), norm, workers
    )
    mean, variance = normalise(images, np.ones(2), np.zeros(2), EPSILON)[1]
    close(norm.mean.numpy(), 0.1 * mean)
    close(norm.variance.numpy(), 0.9 + 0.1 * variance)


def test_a_large_mean_costs_no_accuracy(workers):
    images = normal(0, 4, 2, 32, 32) + 1000
    norm = norm_of(2, "none")
    ones, zeros = paddle.ones([2]), paddle.zeros([2])
    out = NormActivation.apply(paddle.to_tensor(images), ones, zeros, norm, workers)
    # Images near 1000 have steps of 6e-5; the norm must not add to that.
    close(out.numpy(), normalise(images, np.ones(2), np.zeros(2), EPSILON)[0], 1e-4)


def test_running_moments_normalise_when_not_training(workers):
    images, weight, bias = normal(0, 2, 3, 5, 4), normal(1, 3), normal(2, 3)
    norm = Norm(paddle.to_tensor(normal(3, 3)), paddle.to_tensor(normal(4, 3) ** 2), 0.9,
                EPSILON, "hardswish")  # fmt: skip
    before = norm.mean.numpy().copy()
    out = normalise_by_running(
        paddle.to_tensor(images), paddle.to_tensor(weight), paddle.to_tensor(bias), norm, workers
    )
    mean, variance = norm.mean.numpy(), norm.variance.numpy()
    shape = (1, 3, 1, 1)
    u = (images - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + EPSILON)
    u = u * weight.reshape(shape) + bias.reshape(shape)
    close(out.numpy(), ACTIVATIONS["hardswish"](u))
    np.testing.assert_array_equal(norm.mean.numpy(), before)


def test_the_number_of_threads_changes_no_bit():
    images, weight, bias = normal(0, 7, 5, 13, 11), normal(1, 5), normal(2, 5)
    gradient = normal(3, *images.shape)
    once, *others = [
        run(images, weight, bias, norm_of(5, "hardswish"), gradient, Workers(threads))
        for threads in (1, 2, 5)
    ]
    for other in others:
        for one, another in zip(once, other, strict=True):
            np.testing.assert_array_equal(one, another)
