"""What holds for every loss, whoever wrote it."""

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.registry import LOSSES

LABELS = {
    "ordinary": [0, 1, 0, 2, 1, 3],
    "no negatives": [4, 4, 4],
    "no positives": [0, 1, 2, 3],
    "one sample": [2],
}


def network_outputs(batch, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"backbone": 7, "features": 6, "logits": 5}
    return {
        name: paddle.to_tensor(
            rng.normal(size=(batch, width)).astype(np.float32), stop_gradient=False
        )
        for name, width in shapes.items()
    }


@pytest.mark.parametrize("layout", LABELS)
@pytest.mark.parametrize("name", LOSSES.names())
def test_value_and_gradient_are_finite_on_any_batch(name, layout):
    outputs, labels = network_outputs(len(LABELS[layout])), paddle.to_tensor(LABELS[layout])
    loss = LOSSES.build(name)(outputs, labels)
    assert loss.shape == []
    assert np.isfinite(float(loss))
    assert float(loss) >= 0.0
    loss.backward()
    gradients = [output.grad for output in outputs.values() if output.grad is not None]
    assert gradients  # even a loss of zero leads back to the network
    assert all(bool(paddle.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_zero_vector_harms_nothing(name):
    outputs = {key: paddle.zeros_like(value) for key, value in network_outputs(6).items()}
    for value in outputs.values():
        value.stop_gradient = False
    loss = LOSSES.build(name)(outputs, paddle.to_tensor(LABELS["ordinary"]))
    loss.backward()
    assert np.isfinite(float(loss))
    for value in outputs.values():
        assert value.grad is None or float(value.grad.abs().max()) < 1e3


@pytest.mark.parametrize("name", LOSSES.names())
def test_the_order_of_the_batch_does_not_matter(name):
    outputs, labels = network_outputs(6), paddle.to_tensor(LABELS["ordinary"])
    order = paddle.to_tensor([3, 5, 0, 2, 4, 1])
    loss = LOSSES.build(name)
    shuffled = {key: value[order] for key, value in outputs.items()}
    assert float(loss(outputs, labels)) == pytest.approx(
        float(loss(shuffled, labels[order])), rel=1e-5
    )


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_missing_output_is_named(name):
    with pytest.raises(ConfigError, match=rf"{name} reads the output '\w+', .* gives nothing"):
        LOSSES.build(name)({"nothing": paddle.zeros([2, 2])}, paddle.to_tensor([0, 1]))


def test_missing_logits_mean_a_missing_head():
    with pytest.raises(ConfigError, match=r"Arch\.Head"):
        LOSSES.build("CELoss")({"features": paddle.zeros([2, 2])}, paddle.to_tensor([0, 1]))
