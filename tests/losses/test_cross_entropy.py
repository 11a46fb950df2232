import math

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.losses.cross_entropy import CELoss
from toolkit.registry import LOSSES


def cross_entropy(logits, labels, epsilon):
    """Szegedy et al. 2016, section 7: H(q', p) with q' = (1 - eps) onehot + eps / classes."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        denominator = sum(math.exp(value) for value in row)
        for column, value in enumerate(row):
            target = epsilon / len(row) + (1 - epsilon if column == label else 0.0)
            total -= target * math.log(math.exp(value) / denominator)
    return total / len(logits)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_equals_the_definition(epsilon, check_gradient):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (5, 4)), rng.integers(0, 4, 5)
    loss = CELoss(epsilon=epsilon)
    value = float(loss({"logits": paddle.to_tensor(logits)}, paddle.to_tensor(labels)))
    assert value == pytest.approx(cross_entropy(logits, labels, epsilon), rel=1e-9)
    check_gradient(loss, "logits", logits, labels)


def test_values_by_hand():
    # Equal logits: every class has probability 1/4, so the loss is log 4 with any smoothing.
    even = {"logits": paddle.zeros([3, 4])}
    labels = paddle.to_tensor([0, 1, 3])
    for epsilon in (0.0, 0.3):
        assert float(CELoss(epsilon=epsilon)(even, labels)) == pytest.approx(math.log(4))


def test_large_logits_do_not_overflow():
    logits = paddle.to_tensor([[1e4, 0.0], [0.0, 1e4]])
    assert float(CELoss(epsilon=0.1)({"logits": logits}, paddle.to_tensor([0, 1]))) == (
        pytest.approx(0.05 * 1e4)  # a twentieth of the target is on the wrong class
    )


def test_a_share_outside_zero_to_one_is_refused():
    with pytest.raises(ConfigError, match=r"loss CELoss: epsilon is a share from 0 to 1; got 1\.5"):
        LOSSES.build("CELoss", epsilon=1.5)
