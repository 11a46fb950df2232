"""The optimizers against their update rules written out in numpy."""

import subprocess
import sys

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.regularizer import L2Decay

from toolkit.errors import WeightsError
from toolkit.training.lars import LARS
from toolkit.training.named_optimizer import NamedParameter, named_parameters
from toolkit.training.optimizers import Adam, AdamW, Momentum

RATES = [0.1, 0.05, 0.2, 0.0, 0.1]


def make_parameters(kinds=("weight", "bias", "norm")):
    rng = np.random.default_rng(0)
    layer = nn.Layer()
    found = []
    for kind in kinds:
        parameter = layer.create_parameter([2, 3])
        parameter.set_value(rng.normal(size=(2, 3)).astype("float32"))
        layer.add_parameter(kind, parameter)
        found.append(NamedParameter(f"part.{kind}", parameter, kind))
    return found


def run(optimizer, parameters):
    """Five steps on given gradients; returns the values after each."""
    rng = np.random.default_rng(1)
    seen = []
    for rate in RATES:
        for item in parameters:
            gradient = rng.normal(size=(2, 3)).astype("float32")
            item.parameter.grad = paddle.to_tensor(gradient)
        optimizer.set_learning_rate(rate)
        optimizer.step()
        optimizer.clear_gradients()
        seen.append([item.parameter.numpy().copy() for item in parameters])
    return seen


def gradients():
    rng = np.random.default_rng(1)
    return [[rng.normal(size=(2, 3)) for _ in range(3)] for _ in RATES]


def clipped(gradient_list, limit):
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradient_list))
    scale = 1.0 if limit is None else limit / max(norm, limit)
    return [gradient * scale for gradient in gradient_list]


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("skip", [None, ["norm"], ["norm", "bias"]])
def test_momentum_is_its_rule(nesterov, clip, skip):
    parameters = make_parameters()
    values = [item.parameter.numpy().astype("float64") for item in parameters]
    decays = [0.0 if item.kind in (skip or []) else 0.1 for item in parameters]
    velocity = [np.zeros((2, 3)) for _ in parameters]
    optimizer = Momentum(
        parameters,
        0.1,
        momentum=0.8,
        use_nesterov=nesterov,
        weight_decay=0.1,
        skip_decay=skip,
        clip_norm=clip,
    )
    for got, rate, raw in zip(run(optimizer, parameters), RATES, gradients(), strict=True):
        for i, gradient in enumerate(clipped(raw, clip)):
            decayed = gradient + decays[i] * values[i]
            velocity[i] = 0.8 * velocity[i] + decayed
            move = decayed + 0.8 * velocity[i] if nesterov else velocity[i]
            values[i] = values[i] - rate * move
            np.testing.assert_allclose(got[i], values[i], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("skip", [None, ["norm"], ["bias"]])
def test_adamw_is_its_rule(clip, skip):
    parameters = make_parameters()
    values = [item.parameter.numpy().astype("float64") for item in parameters]
    decays = [0.0 if item.kind in (skip or []) else 0.3 for item in parameters]
    mean, square = np.zeros((3, 2, 3)), np.zeros((3, 2, 3))
    optimizer = AdamW(
        parameters,
        0.1,
        beta1=0.8,
        beta2=0.95,
        epsilon=1e-6,
        weight_decay=0.3,
        skip_decay=skip,
        clip_norm=clip,
    )
    steps = zip(run(optimizer, parameters), RATES, gradients(), strict=True)
    for t, (got, rate, raw) in enumerate(steps, start=1):
        for i, gradient in enumerate(clipped(raw, clip)):
            mean[i] = 0.8 * mean[i] + 0.2 * gradient
            square[i] = 0.95 * square[i] + 0.05 * gradient**2
            values[i] = values[i] * (1 - rate * decays[i])
            unbiased = mean[i] / (1 - 0.8**t), square[i] / (1 - 0.95**t)
            values[i] = values[i] - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-6)
            np.testing.assert_allclose(got[i], values[i], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("skip", [None, ["norm"], ["bias"]])
def test_adam_is_its_rule(clip, skip):
    """Paddle clips before it adds the L2 term, which then goes through both moments."""
    parameters = make_parameters()
    values = [item.parameter.numpy().astype("float64") for item in parameters]
    decays = [0.0 if item.kind in (skip or []) else 0.3 for item in parameters]
    mean, square = np.zeros((3, 2, 3)), np.zeros((3, 2, 3))
    optimizer = Adam(
        parameters,
        0.1,
        beta1=0.8,
        beta2=0.95,
        epsilon=1e-6,
        weight_decay=0.3,
        skip_decay=skip,
        clip_norm=clip,
    )
    steps = zip(run(optimizer, parameters), RATES, gradients(), strict=True)
    for t, (got, rate, raw) in enumerate(steps, start=1):
        for i, gradient in enumerate(clipped(raw, clip)):
            decayed = gradient + decays[i] * values[i]
            mean[i] = 0.8 * mean[i] + 0.2 * decayed
            square[i] = 0.95 * square[i] + 0.05 * decayed**2
            unbiased = mean[i] / (1 - 0.8**t), square[i] / (1 - 0.95**t)
            values[i] = values[i] - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-6)
            np.testing.assert_allclose(got[i], values[i], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("skip", [[], ["norm"], ["norm", "bias"]])
def test_lars_is_its_rule(skip):
    parameters = make_parameters()
    values = [item.parameter.numpy().astype("float64") for item in parameters]
    velocity = [np.zeros((2, 3)) for _ in parameters]
    optimizer = LARS(parameters, 0.1, momentum=0.8, trust=0.02, weight_decay=0.1, skip=skip)
    for got, rate, raw in zip(run(optimizer, parameters), RATES, gradients(), strict=True):
        for i, gradient in enumerate(raw):
            if parameters[i].kind not in skip:
                length, slope = np.linalg.norm(values[i]), np.linalg.norm(gradient)
                scale = 0.02 * length / (slope + 0.1 * length)
                gradient = scale * (gradient + 0.1 * values[i])  # noqa: PLW2901 - the rule
            velocity[i] = 0.8 * velocity[i] + gradient
            values[i] = values[i] - rate * velocity[i]
            np.testing.assert_allclose(got[i], values[i], rtol=2e-5, atol=1e-6)


def test_lars_leaves_what_is_frozen_and_does_not_divide_by_zero():
    parameters = make_parameters()
    frozen, empty = parameters[0].parameter, parameters[1].parameter
    empty.set_value(paddle.zeros([2, 3]))
    optimizer = LARS(parameters, 0.1, skip=[])
    frozen.stop_gradient = True
    before = frozen.numpy()
    run(optimizer, parameters)
    np.testing.assert_array_equal(frozen.numpy(), before)
    assert np.isfinite(empty.numpy()).all()


@pytest.mark.parametrize("rule", [Momentum, Adam, AdamW])
def test_building_changes_no_parameter_and_leaves_no_gradient(rule):
    parameters = make_parameters()
    before = [item.parameter.numpy().copy() for item in parameters]
    optimizer = rule(parameters, 0.1, weight_decay=0.5)
    for item, value in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(item.parameter.numpy(), value)
        assert item.parameter.grad is None
    assert optimizer.learning_rate == pytest.approx(0.1)


def test_factors_that_layers_give_to_parameters_are_kept():
    """A bias of rate factor 1e-20 (BNNeck) stays; a decay of a layer's own goes first."""
    layer = nn.Linear(
        2,
        2,
        weight_attr=paddle.ParamAttr(regularizer=L2Decay(0.0)),
        bias_attr=paddle.ParamAttr(learning_rate=1e-20),
    )
    before = layer.weight.numpy().copy(), layer.bias.numpy().copy()
    optimizer = Momentum(named_parameters(layer), 0.1, weight_decay=0.5)
    layer.weight.grad = paddle.zeros_like(layer.weight)
    layer.bias.grad = paddle.ones_like(layer.bias)
    optimizer.step()
    np.testing.assert_array_equal(layer.weight.numpy(), before[0])
    np.testing.assert_allclose(layer.bias.numpy(), before[1], atol=1e-20)


@pytest.mark.parametrize("rule", [Momentum, Adam, AdamW])
def test_state_goes_to_other_objects_with_other_global_names(rule):
    first = make_parameters()
    optimizer = rule(first, 0.1)
    run(optimizer, first)
    state = optimizer.state()
    make_parameters()  # moves Paddle's counters of global names
    second = make_parameters()
    assert second[0].parameter.name != first[0].parameter.name
    for item, trained in zip(second, first, strict=True):
        item.parameter.set_value(trained.parameter)
    other = rule(second[::-1], 0.1)
    other.load_state(state)
    for one, two in zip(run(optimizer, first), run(other, second), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_state_goes_to_another_process_in_another_order(tmp_path):
    from toolkit.cards.weights import read_state, write_state

    script = (
        "import sys, paddle\n"
        "from paddle import nn\n"
        "from toolkit.cards.weights import read_state, write_state\n"
        "from toolkit.training.named_optimizer import named_parameters\n"
        "from toolkit.training.optimizers import Momentum\n"
        "spare = nn.Linear(7, 7)\n"
        "layer = nn.Linear(2, 2)\n"
        "optimizer = Momentum(named_parameters(layer)[::-1], 0.1)\n"
        "optimizer.load_state(read_state(sys.argv[1]))\n"
        "write_state(sys.argv[2], optimizer.state())\n"
    )
    layer = nn.Linear(2, 2)
    optimizer = Momentum(named_parameters(layer), 0.1)
    layer.weight.grad, layer.bias.grad = paddle.ones([2, 2]), paddle.ones([2])
    optimizer.step()
    write_state(tmp_path / "a.pdopt", optimizer.state())
    command = [sys.executable, "-W", "ignore", "-c", script]
    subprocess.run([*command, str(tmp_path / "a.pdopt"), str(tmp_path / "b.pdopt")], check=True)
    one, two = (read_state(tmp_path / name)["accumulators"] for name in ("a.pdopt", "b.pdopt"))
    assert set(one["velocity"]) == {"weight", "bias"}
    for name, array in one["velocity"].items():
        np.testing.assert_array_equal(array, two["velocity"][name])


def test_kinds_and_names():
    class Block(nn.Layer):
        def __init__(self):
            super().__init__()
            self.linear, self.norm = nn.Linear(2, 2), nn.LayerNorm(2)
            self.conv, self.batch = nn.Conv2D(1, 1, 1), nn.BatchNorm2D(1)
            self.shared = self.linear
            self.frozen = nn.Linear(2, 2)
            for parameter in self.frozen.parameters():
                parameter.stop_gradient = True
            self.alpha = self.create_parameter([1])

    kinds = {item.name: item.kind for item in named_parameters(Block(), "net.")}
    assert kinds == {
        "net.alpha": "weight",
        "net.linear.weight": "weight",
        "net.linear.bias": "bias",
        "net.norm.weight": "norm",
        "net.norm.bias": "norm",
        "net.conv.weight": "weight",
        "net.conv.bias": "bias",
        "net.batch.weight": "norm",
        "net.batch.bias": "norm",
    }
    assert named_parameters(nn.Linear(1, 1))[0].name == "weight"


def test_state_that_does_not_fit_is_named():
    optimizer = Momentum(make_parameters(("weight", "bias")), 0.1)
    state = optimizer.state()
    with pytest.raises(WeightsError, match="belongs to Momentum"):
        AdamW(make_parameters(), 0.1).load_state(state)
    with pytest.raises(WeightsError, match=r"missing: velocity of part\.norm"):
        Momentum(make_parameters(), 0.1).load_state(state)
    with pytest.raises(WeightsError, match=r"unexpected: velocity of part\.bias"):
        Momentum(make_parameters(("weight",)), 0.1).load_state(state)
    state["accumulators"]["velocity"]["part.bias"] = np.zeros(7, "float32")
    with pytest.raises(WeightsError, match=r"part\.bias \(\[7\], needed \[2, 3\]\)"):
        optimizer.load_state(state)
    with pytest.raises(WeightsError, match="not written by this toolkit"):
        optimizer.load_state({"linear_0.w_0_velocity_0": np.zeros(1)})


def test_bad_values():
    with pytest.raises(ValueError, match="nothing to train"):
        Momentum([], 0.1)
    with pytest.raises(ValueError, match="below 1"):
        AdamW(make_parameters(), 0.1, beta1=1.0)
    with pytest.raises(ValueError, match="below 1"):
        Adam(make_parameters(), 0.1, beta2=1.0)


def test_weight_decay_rises_along_half_a_cosine():
    parameters = make_parameters()
    start = [item.parameter.numpy() for item in parameters]
    optimizer = AdamW(
        parameters, 0.1, weight_decay=0.04, final_weight_decay=0.4, skip_decay=["bias"]
    )
    left = 1.0
    for step, rate in enumerate(RATES):
        done = step / len(RATES)
        left *= 1 - rate * (0.4 - 0.36 * (1 + np.cos(np.pi * done)) / 2)
        for item in parameters:
            item.parameter.grad = paddle.zeros([2, 3])
        optimizer.set_learning_rate(rate)
        optimizer.set_progress(done)
        optimizer.step()
    for item, value in zip(parameters, start, strict=True):
        kept = 1.0 if item.kind == "bias" else left
        np.testing.assert_allclose(item.parameter.numpy(), kept * value, rtol=1e-5)


def test_a_weight_decay_that_stays_is_paddles():
    plain, own = make_parameters(), make_parameters()
    expected = run(AdamW(plain, 0.1, weight_decay=0.3), plain)
    found = run(AdamW(own, 0.1, weight_decay=0.3, final_weight_decay=0.3), own)
    for one, other in zip(found[-1], expected[-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
