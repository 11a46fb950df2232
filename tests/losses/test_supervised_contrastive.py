import math

import pytest
from loss_batches import LAYOUTS, make_batch, mean, positives, unit, value_of

from toolkit.losses.supervised_contrastive import SupConLoss


def supervised_contrastive(vectors, labels, temperature, *, normalize=True):
    """Khosla et al. 2020, equation 2 (the sum outside the logarithm)."""
    if normalize:
        vectors = unit(vectors)
    values = []
    for anchor in range(len(labels)):
        others = [row for row in range(len(labels)) if row != anchor]
        total = sum(math.exp(vectors[anchor] @ vectors[row] / temperature) for row in others)
        terms = [
            -math.log(math.exp(vectors[anchor] @ vectors[row] / temperature) / total)
            for row in positives(labels, anchor)
        ]
        if terms:
            values.append(mean(terms))
    return mean(values)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_a_loop_over_anchors(layout, normalize):
    vectors, labels = make_batch(layout)
    loss = SupConLoss(temperature=0.3, base_temperature=0.3, normalize_feature=normalize)
    expected = supervised_contrastive(vectors, labels, 0.3, normalize=normalize)
    assert value_of(loss, vectors, labels) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_base_temperature_scales():
    vectors, labels = make_batch("uneven")
    expected = 0.3 / 0.07 * supervised_contrastive(vectors, labels, 0.3)
    assert value_of(SupConLoss(temperature=0.3), vectors, labels) == pytest.approx(expected)


@pytest.mark.parametrize("layout", ["P x K", "uneven"])
def test_gradient_equals_finite_differences(layout, check_gradient):
    check_gradient(SupConLoss(temperature=0.3), "features", *make_batch(layout))


@pytest.mark.parametrize(
    ("temperature", "golden"), [(0.07, 4.296137869846866), (0.5, 1.6922320042562866)]
)
def test_is_pytorch_metric_learning_s_loss(metric_learning_batch, temperature, golden):
    # pytorch-metric-learning 2.9.0, torch 2.13.0: SupConLoss(temperature=...)
    loss = SupConLoss(temperature=temperature, base_temperature=temperature)
    assert value_of(loss, *metric_learning_batch) == pytest.approx(golden, rel=1e-7)
