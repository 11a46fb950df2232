"""DSHSD, LCDSH and DCH against loops over pairs, from the papers and PaddleClas's formulas."""

import math

import numpy as np
import paddle
import pytest
from loss_batches import LAYOUTS, make_batch, mean, squared, value_of

from toolkit.losses.dch import DCHLoss
from toolkit.losses.dshsd import DSHSDLoss
from toolkit.losses.lcdsh import LCDSHLoss


def pairs(labels):
    return [(i, j, labels[i] == labels[j]) for i in range(len(labels)) for j in range(len(labels))]


def inner(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def cross_entropy(logits, labels):
    rows = zip(logits, labels, strict=True)
    return mean([math.log(sum(math.exp(x) for x in row)) - row[label] for row, label in rows])


def dshsd(vectors, labels, alpha):
    margin = 2 * len(vectors[0])
    terms = []
    for i, j, same in pairs(labels):
        distance = squared(vectors[i], vectors[j])
        terms.append((distance if same else max(0.0, margin - distance)) / 2)
    return alpha * mean(terms)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def lcdsh(vectors, labels, weight):
    signs = np.sign(vectors)
    likelihood, lost = [], []
    for i, j, same in pairs(labels):
        product = inner(vectors[i], vectors[j]) / 2
        likelihood.append(math.log(1 + math.exp(-product if same else product)))
        lost.append((sigmoid(product) - sigmoid(inner(signs[i], signs[j]) / 2)) ** 2)
    return mean(likelihood) + weight * mean(lost)


def hamming(a, b):
    cosine = inner(a, b) / math.sqrt(inner(a, a) * inner(b, b))
    return len(a) / 2 * (1 - min(cosine, 0.99))


def dch(vectors, labels, gamma, weight):
    every = pairs(labels)
    similar = sum(same for _, _, same in every)
    balanced = 0 < similar < len(every)
    terms = []
    for i, j, same in every:
        distance = hamming(vectors[i], vectors[j])
        # Cauchy cross entropy: -log of gamma / (gamma + D), or of what is left to 1.
        term = -math.log(gamma / (gamma + distance) if same else distance / (gamma + distance))
        share = (similar if same else len(every) - similar) / len(every)
        terms.append(term / share if balanced else term)
    ones = [1.0] * len(vectors[0])
    quantization = [math.log(1 + hamming(np.abs(v), ones) / gamma) for v in vectors]
    return mean(terms) + weight * mean(quantization)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_dshsd_equals_its_loop(layout, alpha):
    vectors, labels = make_batch(layout)
    logits = paddle.to_tensor(np.random.default_rng(0).normal(size=(len(labels), 4)))
    outputs = {"features": paddle.to_tensor(vectors), "logits": logits}
    value = float(DSHSDLoss(alpha)(outputs, paddle.to_tensor(labels)))
    expected = cross_entropy(logits.numpy(), labels) + dshsd(vectors, labels, alpha)
    assert value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_lcdsh_equals_its_loop(layout, weight):
    vectors, labels = make_batch(layout)
    value = value_of(LCDSHLoss(weight), vectors, labels)
    assert value == pytest.approx(lcdsh(vectors, labels, weight), rel=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("gamma", "weight"), [(20.0, 0.1), (0.7, 2.0), (3.0, 0.0)])
def test_dch_equals_its_loop(layout, gamma, weight):
    vectors, labels = make_batch(layout)
    value = value_of(DCHLoss(gamma, weight), vectors, labels)
    assert value == pytest.approx(dch(vectors, labels, gamma, weight), rel=1e-9)


@pytest.mark.parametrize("build", [LCDSHLoss, DCHLoss])
def test_gradient_equals_finite_differences(build, check_gradient):
    vectors, labels = make_batch("uneven")
    check_gradient(build(), "features", vectors, labels)


def test_the_gradient_of_dshsd_s_pairs_equals_finite_differences(check_gradient):
    vectors, labels = make_batch("uneven")
    logits = paddle.zeros([len(labels), 4], "float64")

    def loss(outputs, labels):
        return DSHSDLoss(0.7)(outputs | {"logits": logits}, labels)

    check_gradient(loss, "features", vectors, labels)


def test_lcdsh_draws_even_a_pair_beyond_the_range_of_exp():
    # PaddleClas cuts the product at 50, and with it the gradient.
    vectors = paddle.to_tensor([[30.0, 0.0], [30.0, 1.0]], stop_gradient=False)
    LCDSHLoss()({"features": vectors}, paddle.to_tensor([0, 1])).backward()
    assert float(vectors.grad[0, 0]) > 1.0


def test_dch_by_hand():
    # Codes of four bits: one bit differs between the first two, which are of one class; the third
    # has all bits the other way round than the first.
    codes = [[1.0, 1, 1, 1], [1.0, 1, 1, -1], [-1.0, -1, -1, -1]]
    gamma = 1.0
    same = [math.log1p(0.02)] * 3 + [math.log1p(1)] * 2  # a row with itself is cut at 0.99
    other = [math.log1p(1 / 4)] * 2 + [math.log1p(1 / 3)] * 2
    expected = mean(same) + mean(other) + 0.5 * math.log1p(0.02)
    assert value_of(DCHLoss(gamma, 0.5), codes, [0, 0, 1]) == pytest.approx(expected, rel=1e-6)
