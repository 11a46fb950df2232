import numpy as np
import paddle
import pytest


def _numeric_gradient(function, values, step):
    gradient = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        moved = values.copy()
        moved[index] += step
        higher = function(moved)
        moved[index] -= 2 * step
        gradient[index] = (higher - function(moved)) / (2 * step)
    return gradient


@pytest.fixture
def check_gradient():
    """Compares Paddle's gradient of a loss with central differences, in float64."""

    def check(loss, name, values, labels, *, step=1e-5, tolerance=1e-6):
        def value(array):
            return float(loss({name: paddle.to_tensor(array)}, paddle.to_tensor(labels)))

        tensor = paddle.to_tensor(values, stop_gradient=False)
        loss({name: tensor}, paddle.to_tensor(labels)).backward()
        expected = _numeric_gradient(value, values, step)
        assert np.abs(expected).max() > 1e-3  # otherwise nothing would be tested
        np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=tolerance)

    return check


@pytest.fixture(scope="session")
def metric_learning_batch():
    """The batch that pytorch-metric-learning was asked about; the tests say what it answered."""
    rng = np.random.default_rng(20)
    labels = np.array([0, 1, 0, 2, 1, 2, 0, 1])
    return rng.normal(0, 1, (3, 6))[labels] + rng.normal(0, 1, (8, 6)), labels


@pytest.fixture(scope="session")
def metric_learning_proxies():
    """The proxies of four classes that go with the batch."""
    rng = np.random.default_rng(20)
    rng.normal(0, 1, (11, 6))  # the batch's own draws
    return rng.normal(0, 1, (4, 6))
