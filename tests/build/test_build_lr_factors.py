"""Parts of a network with a learning rate of their own."""

import numpy as np
import paddle
import pytest

from toolkit.build.loss import build_loss
from toolkit.build.model import build_recognizer
from toolkit.build.optimizer import build_optimizer
from toolkit.errors import ConfigError
from toolkit.registry import OPTIMIZERS


def moved(configure, name, factors, rates=(0.05, 0.02)):
    """How far each parameter has moved after steps of some rates on gradients of one."""
    config = configure(
        f"Optimizer={{name: {name}, weight_decay: 0.0, lr: {{name: Cosine}}}}",
        f"Optimizer.lr_factors={factors}",
    )
    paddle.seed(0)
    model = build_recognizer(config.Arch, 4)
    loss = build_loss(config.Loss, 4, model.output_sizes, model.outputs)
    optimizer = build_optimizer(config.Optimizer, 0.05, model, loss)
    before = {item.name: item.parameter.numpy().copy() for item in optimizer.parameters}
    for rate in rates:
        optimizer.set_learning_rate(rate)
        for item in optimizer.parameters:
            item.parameter.clear_grad()
            item.parameter.sum().backward()
        optimizer.step()
    return {
        item.name: float((before[item.name] - item.parameter.numpy()).mean())
        for item in optimizer.parameters
    }


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_the_longest_beginning_of_a_name_sets_the_factor(configure, name):
    plain = moved(configure, name, "null")
    factors = "{'backbone.': 0.1, 'backbone.stages.1': 0.5, 'head.': 0.0}"
    scaled = moved(configure, name, factors)
    assert set(plain) == set(scaled)
    for key, distance in plain.items():
        factor = 1.0
        if key.startswith("backbone."):
            factor = 0.5 if key.startswith("backbone.stages.1") else 0.1
        elif key.startswith("head."):
            factor = 0.0
        np.testing.assert_allclose(scaled[key], factor * distance, rtol=1e-3, atol=1e-7)
    assert {key.split(".")[0] for key in plain} == {"backbone", "neck", "head"}


def test_a_beginning_that_fits_nothing_is_an_error(configure):
    with pytest.raises(ConfigError, match=r"Optimizer\.lr_factors: no parameter begins with 'bakb"):
        moved(configure, "Momentum", "{'bakbone.': 0.1}")


def test_a_factor_below_zero_is_an_error(configure):
    with pytest.raises(ConfigError, match=r"lr_factors.*greater than or equal to 0"):
        moved(configure, "Momentum", "{'backbone.': -0.1}")
