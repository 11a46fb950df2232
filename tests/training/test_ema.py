"""Averaged weights against the recurrence written out."""

import numpy as np
import paddle
import pytest
from paddle import nn

from toolkit.errors import WeightsError
from toolkit.training.ema import AveragedWeights, borrowed_weights


def make_net():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1D(2))
    net.register_buffer("count", paddle.to_tensor([0], dtype="int64"))
    return net


def shift(net, by):
    for tensor in net.state_dict().values():
        tensor.set_value(tensor + paddle.to_tensor(by).astype(tensor.dtype))


@pytest.mark.parametrize("warm_up", [True, False])
def test_average_is_the_recurrence(warm_up):
    net = make_net()
    average = AveragedWeights(net, 0.5, warm_up=warm_up)
    expected = {name: t.numpy().astype("float64") for name, t in net.state_dict().items()}
    for step in range(12):
        shift(net, step + 1)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step)) if warm_up else 0.5
        for name, tensor in net.state_dict().items():
            if name == "count":
                expected[name] = tensor.numpy()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * tensor.numpy()
    assert average.num_updates == 12
    assert set(average.weights()) == set(expected)  # buffers included
    for name, array in average.weights().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5)


def test_swapping_in_and_back_even_after_an_error():
    net = make_net()
    average = AveragedWeights(net, 0.9)
    shift(net, 1)
    raw = {name: tensor.numpy().copy() for name, tensor in net.state_dict().items()}

    def fail():
        with average.swapped_in():
            for name, tensor in net.state_dict().items():
                np.testing.assert_array_equal(tensor.numpy(), average.weights()[name])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), raw[name])


def test_the_average_is_a_copy():
    net = make_net()
    average = AveragedWeights(net, 0.9)
    before = average.weights()["0.weight"].copy()
    shift(net, 1)
    np.testing.assert_array_equal(average.weights()["0.weight"], before)


def test_training_goes_on_after_borrowing():
    net = make_net()
    with borrowed_weights(net, {n: t.numpy() * 0 for n, t in net.state_dict().items()}):
        assert float(net[0].weight.abs().sum()) == 0
    assert not net[0].weight.stop_gradient


def test_what_does_not_fit():
    average = AveragedWeights(make_net(), 0.9)
    weights = average.weights()
    with pytest.raises(WeightsError, match=r"'0\.bias'"):
        average.load({n: a for n, a in weights.items() if n != "0.bias"}, 0)
    with pytest.raises(WeightsError, match=r"'other'"):
        average.load({**weights, "other": np.zeros(1)}, 0)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        AveragedWeights(make_net(), 1.0)
