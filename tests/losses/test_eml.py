import math

import numpy as np
import paddle
import pytest
from loss_batches import LAYOUTS, make_batch, mean, negatives, positives, squared, value_of

from toolkit.losses.eml import EmlLoss


def ensemble(vectors, labels, beta=1e5):
    """The mean over all combinations of exp(positive - negative), as it is written."""
    values = []
    for anchor in range(len(labels)):
        far = [squared(vectors[anchor], vectors[row]) for row in positives(labels, anchor)]
        near = [squared(vectors[anchor], vectors[row]) for row in negatives(labels, anchor)]
        if far and near:
            count = mean([math.exp(p - n) for p in far for n in near])
            values.append(math.log(1 + beta * count) / math.log(1 + beta))
    return mean(values)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_equals_a_loop_over_all_combinations(layout):
    vectors, labels = make_batch(layout)
    expected = ensemble(vectors, labels)
    assert value_of(EmlLoss(), vectors, labels) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("layout", ["P x K", "uneven"])
def test_gradient_equals_finite_differences(layout, check_gradient):
    check_gradient(EmlLoss(), "features", *make_batch(layout))


def test_beyond_twenty_it_is_paddleclas_s_straight_line():
    # One positive pair 30 apart, a negative on the anchor: bias = 900 - 0, theta = 1, and
    # PaddleClas goes on with (log theta + bias + log beta) / log(1 + beta).
    vectors = np.array([[0.0], [30.0], [0.0], [5000.0]])
    line = (900 + math.log(1e5)) / math.log(1 + 1e5)
    # The second anchor: positive 900, negatives 900 and far: mean of exp is 1/2.
    other = math.log(1 + 1e5 / 2) / math.log(1 + 1e5)
    expected = (line - math.log(2) / math.log(1 + 1e5) + other) / 2
    assert value_of(EmlLoss(), vectors, [0, 0, 1, 2]) == pytest.approx(expected, rel=1e-9)


def test_no_distance_overflows():
    features = paddle.to_tensor([[0.0], [3000.0], [1.0]], stop_gradient=False)
    loss = EmlLoss()({"features": features}, paddle.to_tensor([0, 0, 1]))
    loss.backward()
    assert np.isfinite(float(loss))
    assert np.isfinite(features.grad.numpy()).all()
