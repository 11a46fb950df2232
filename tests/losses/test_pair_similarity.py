import math

import numpy as np
import paddle
import pytest
from loss_batches import LAYOUTS, make_batch, mean, negatives, positives, unit, value_of

from toolkit.losses.pair_similarity import CircleLoss, MultiSimilarityLoss, PairwiseCosface


def cosines(vectors, labels):
    """For each anchor the cosines to its positives and to its negatives."""
    vectors = unit(vectors)
    for anchor in range(len(labels)):
        yield (
            [vectors[anchor] @ vectors[row] for row in positives(labels, anchor)],
            [vectors[anchor] @ vectors[row] for row in negatives(labels, anchor)],
        )


def pairwise_cosface(vectors, labels, margin, gamma):
    """Sun et al. 2020, equation 1: over all combinations of a negative and a positive."""
    return mean(
        [
            math.log(1 + sum(math.exp(gamma * (n - p + margin)) for n in near for p in far))
            for far, near in cosines(vectors, labels)
            if far and near
        ]
    )


def circle(vectors, labels, margin, gamma, fixed=None):
    """Sun et al. 2020, equation 6 with 5; `fixed` are the vectors that the weights come from."""
    values = []
    weighing = cosines(vectors if fixed is None else fixed, labels)
    for (far, near), (far_fixed, near_fixed) in zip(
        cosines(vectors, labels), weighing, strict=True
    ):
        if not (far and near):
            continue
        push = sum(
            math.exp(gamma * max(0.0, w + margin) * (s - margin))
            for s, w in zip(near, near_fixed, strict=True)
        )
        pull = sum(
            math.exp(-gamma * max(0.0, 1 + margin - w) * (s - 1 + margin))
            for s, w in zip(far, far_fixed, strict=True)
        )
        values.append(math.log(1 + push * pull))
    return mean(values)


def multi_similarity(vectors, labels, alpha, beta, base, epsilon):
    """Wang et al. 2019, equations 11, 12 and 15."""
    values = []
    for far, near in cosines(vectors, labels):
        if epsilon is not None and not (far and near):
            continue
        if not (far or near):
            continue
        kept_near = [s for s in near if epsilon is None or s + epsilon > min(far)]
        kept_far = [s for s in far if epsilon is None or s - epsilon < max(near)]
        pull = math.log(1 + sum(math.exp(-alpha * (s - base)) for s in kept_far)) / alpha
        push = math.log(1 + sum(math.exp(beta * (s - base)) for s in kept_near)) / beta
        values.append(pull + push)
    return mean(values)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairwise_cosface_equals_a_loop_over_combinations(layout):
    vectors, labels = make_batch(layout)
    found = value_of(PairwiseCosface(margin=0.2, gamma=8.0), vectors, labels)
    expected = pairwise_cosface(vectors, labels, 0.2, 8.0)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("margin", [0.0, 0.25])
def test_circle_equals_a_loop_over_pairs(layout, margin):
    vectors, labels = make_batch(layout)
    found = value_of(CircleLoss(margin=margin, gamma=8.0), vectors, labels)
    expected = circle(vectors, labels, margin, 8.0)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("epsilon", [None, 0.0, 0.3])
def test_multi_similarity_equals_a_loop_over_pairs(layout, epsilon):
    vectors, labels = make_batch(layout)
    options = {"alpha": 3.0, "beta": 7.0, "base": 0.2, "epsilon": epsilon}
    found = value_of(MultiSimilarityLoss(**options), vectors, labels)
    expected = multi_similarity(vectors, labels, **options)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        PairwiseCosface(gamma=8.0),
        MultiSimilarityLoss(beta=7.0),
        MultiSimilarityLoss(beta=7.0, epsilon=None),
    ],
)
@pytest.mark.parametrize("layout", ["P x K", "uneven"])
def test_gradients_equal_finite_differences(loss, layout, check_gradient):
    check_gradient(loss, "features", *make_batch(layout))


def test_no_gradient_flows_through_the_weights_of_circle():
    vectors, labels = make_batch("uneven")
    tensor = paddle.to_tensor(vectors, stop_gradient=False)
    CircleLoss(margin=0.25, gamma=8.0)({"features": tensor}, paddle.to_tensor(labels)).backward()
    expected = np.zeros_like(vectors)
    for index in np.ndindex(vectors.shape):
        step = np.zeros_like(vectors)
        step[index] = 1e-5
        higher = circle(vectors + step, labels, 0.25, 8.0, fixed=vectors)
        lower = circle(vectors - step, labels, 0.25, 8.0, fixed=vectors)
        expected[index] = (higher - lower) / 2e-5
    np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "golden"),
    [
        # pytorch-metric-learning 2.9.0, torch 2.13.0, on the same batch:
        # MultiSimilarityLoss(alpha=2, beta=50, base=0.5), then with MultiSimilarityMiner(0.1),
        # then CircleLoss(m=0.4, gamma=80, reducer=MeanReducer()).
        (MultiSimilarityLoss(epsilon=None), 0.7804029208819611),
        (MultiSimilarityLoss(), 0.7706793001541945),
        (CircleLoss(), 74.65625041194517),
    ],
)
def test_is_pytorch_metric_learning_s_loss(metric_learning_batch, loss, golden):
    assert value_of(loss, *metric_learning_batch) == pytest.approx(golden, rel=1e-7)
