import math

import numpy as np
import pytest
from loss_batches import LAYOUTS, make_batch, mean, squared, unit, value_of

from toolkit.losses.npairs import NpairsLoss


def n_pairs(vectors, labels, reg_lambda):
    """Sohn 2016, N-pair-mc, over the first and second, third and fourth ... row of each class."""
    pairs = []
    for label in dict.fromkeys(labels):
        rows = [row for row in range(len(labels)) if labels[row] == label]
        pairs += [rows[i : i + 2] for i in range(0, len(rows) - 1, 2)]
    values = []
    for anchor, positive in pairs:
        others = [p for _, p in pairs if labels[p] != labels[anchor]]
        apart = [
            math.exp(vectors[anchor] @ vectors[other] - vectors[anchor] @ vectors[positive])
            for other in others
        ]
        values.append(math.log(1 + sum(apart)))
    lengths = [squared(vectors[row], 0 * vectors[row]) for pair in pairs for row in pair]
    return mean(values) + 0.5 * reg_lambda * mean(lengths)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reg_lambda", [0.0, 0.2])
def test_equals_a_loop_over_pairs(layout, reg_lambda):
    vectors, labels = make_batch(layout)
    found = value_of(NpairsLoss(reg_lambda=reg_lambda), vectors, labels)
    assert found == pytest.approx(n_pairs(vectors, labels, reg_lambda), rel=1e-9, abs=1e-12)


def test_four_rows_of_a_class_make_two_pairs():
    vectors, labels = np.random.default_rng(8).normal(size=(10, 3)), [0, 1, 0, 1, 0, 2, 0, 2, 1, 1]
    expected = n_pairs(vectors, labels, 0.01)
    assert value_of(NpairsLoss(), vectors, labels) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("layout", ["P x K", "pairs"])
def test_gradient_equals_finite_differences(layout, check_gradient):
    check_gradient(NpairsLoss(), "features", *make_batch(layout))


def test_is_paddleclas_s_loss_on_rows_that_alternate():
    """PaddleClas: softmax cross entropy of even rows against odd rows, the diagonal being right."""
    vectors, labels = make_batch("pairs")
    logits = vectors[0::2] @ vectors[1::2].T
    entropy = np.log(np.exp(logits).sum(1)) - np.diag(logits)
    expected = entropy.mean() + 0.5 * 0.01 * (vectors**2).sum(1).mean()
    assert value_of(NpairsLoss(), vectors, labels) == pytest.approx(expected, rel=1e-9)


def test_is_pytorch_metric_learning_s_loss(metric_learning_batch):
    # pytorch-metric-learning 2.9.0, torch 2.13.0: NPairsLoss() takes the first two rows a class
    # and unit vectors; the classes here have two or three.
    vectors, labels = metric_learning_batch
    found = value_of(NpairsLoss(reg_lambda=0.0), unit(vectors), labels)
    assert found == pytest.approx(0.9780319369601577, rel=1e-7)
