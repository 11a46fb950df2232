import math

import numpy as np
import paddle
import pytest
from loss_batches import LAYOUTS, NUM_CLASSES, make_batch, mean, squared, unit, value_of

from toolkit.losses.class_vectors import CenterLoss, ProxyAnchorLoss, ProxyNCALoss
from toolkit.training.named_optimizer import named_parameters
from toolkit.training.optimizers import AdamW, Momentum


def with_vectors(loss, values):
    """Sets what the loss learns, in float64, so that it can be compared closely."""
    (name,) = loss.state_dict()
    parameter = paddle.create_parameter(values.shape, "float64")
    parameter.set_value(values)
    setattr(loss, name, parameter)
    return loss


def class_vectors(num_classes=NUM_CLASSES, width=4):
    return np.random.default_rng(6).normal(0, 1, (num_classes, width))


def proxy_nca(vectors, labels, proxies, scale, *, own_in_sum):
    """Movshovitz-Attias et al. 2017, equation 4; ProxyNCA++ counts the own proxy too."""
    vectors, proxies, values = unit(vectors), unit(proxies), []
    for vector, label in zip(vectors, labels, strict=True):
        near = [math.exp(-scale * squared(vector, proxy)) for proxy in proxies]
        total = sum(near) if own_in_sum else sum(near[:label] + near[label + 1 :])
        if total:
            values.append(-math.log(near[label] / total))
    return mean(values)


def proxy_anchor(vectors, labels, proxies, margin, alpha):
    """Kim et al. 2020, equation 4."""
    vectors, proxies = unit(vectors), unit(proxies)
    pulls, pushes = [], []
    for label, proxy in enumerate(proxies):
        own = [math.exp(-alpha * (v @ proxy - margin)) for v in vectors[labels == label]]
        others = [math.exp(alpha * (v @ proxy + margin)) for v in vectors[labels != label]]
        if own:
            pulls.append(math.log(1 + sum(own)))
        pushes.append(math.log(1 + sum(others)))
    return mean(pulls) + mean(pushes)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normalize", [True, False])
def test_center_equals_a_loop_over_rows(layout, normalize):
    (vectors, labels), centers = make_batch(layout), class_vectors()
    loss = with_vectors(CenterLoss(NUM_CLASSES, 4, normalize_feature=normalize), centers)
    rows = unit(vectors) if normalize else vectors
    expected = mean([squared(row, centers[c]) for row, c in zip(rows, labels, strict=True)])
    assert value_of(loss, vectors, labels) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("own_in_sum", [True, False])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_proxy_nca_equals_a_loop_over_rows(layout, own_in_sum, scale):
    (vectors, labels), proxies = make_batch(layout), class_vectors()
    loss = ProxyNCALoss(NUM_CLASSES, 4, scale=scale, own_in_sum=own_in_sum)
    expected = proxy_nca(vectors, labels, proxies, scale, own_in_sum=own_in_sum)
    assert value_of(with_vectors(loss, proxies), vectors, labels) == pytest.approx(expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_proxy_anchor_equals_a_loop_over_proxies(layout):
    (vectors, labels), proxies = make_batch(layout), class_vectors()
    loss = with_vectors(ProxyAnchorLoss(NUM_CLASSES, 4, margin=0.2, alpha=6.0), proxies)
    expected = proxy_anchor(vectors, labels, proxies, 0.2, 6.0)
    assert value_of(loss, vectors, labels) == pytest.approx(expected, rel=1e-9)


LOSSES = {
    "center": lambda **options: CenterLoss(NUM_CLASSES, 4, **options),
    "nca": lambda **options: ProxyNCALoss(NUM_CLASSES, 4, **options),
    "nca, first paper": lambda **options: ProxyNCALoss(NUM_CLASSES, 4, own_in_sum=False, **options),
    "anchor": lambda **options: ProxyAnchorLoss(NUM_CLASSES, 4, alpha=6.0, **options),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_equal_finite_differences(name, check_gradient):
    """Of the embeddings, and of what the loss learns."""
    vectors, labels = make_batch("uneven")
    loss = with_vectors(LOSSES[name](), class_vectors())
    check_gradient(loss, "features", vectors, labels)
    (parameter,) = loss.parameters()
    values = parameter.numpy().copy()
    parameter.clear_grad()
    loss({"features": paddle.to_tensor(vectors)}, paddle.to_tensor(labels)).backward()
    found, expected = parameter.grad.numpy(), np.zeros_like(values)
    for index in np.ndindex(values.shape):
        for sign in (1, -1):
            moved = values.copy()
            moved[index] += sign * 1e-5
            parameter.set_value(moved)
            expected[index] += sign * value_of(loss, vectors, labels) / 2e-5
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_single_class_has_no_other_proxy():
    features = paddle.randn([3, 4])
    features.stop_gradient = False
    loss = ProxyNCALoss(1, 4, own_in_sum=False)({"features": features}, paddle.zeros([3], "int64"))
    loss.backward()
    assert float(loss) == 0.0
    assert not features.grad.numpy().any()


@pytest.mark.parametrize(
    ("loss", "golden"),
    [
        # pytorch-metric-learning 2.9.0, torch 2.13.0, on the same batch and proxies:
        # ProxyAnchorLoss(4, 6, margin=0.1, alpha=32), ProxyNCALoss(4, 6, softmax_scale=1 and 9).
        (ProxyAnchorLoss(4, 6), 44.55748074994753),
        (ProxyNCALoss(4, 6), 2.0778710253357895),
        (ProxyNCALoss(4, 6, scale=9.0), 11.027495432248521),
    ],
)
def test_is_pytorch_metric_learning_s_loss(
    metric_learning_batch, metric_learning_proxies, loss, golden
):
    found = value_of(with_vectors(loss, metric_learning_proxies), *metric_learning_batch)
    assert found == pytest.approx(golden, rel=1e-7)


def test_proxies_start_at_about_length_one():
    paddle.seed(1)
    proxies = ProxyAnchorLoss(50, 200).proxies.numpy()
    assert np.linalg.norm(proxies, axis=1) == pytest.approx(1.0, abs=0.2)
    assert np.linalg.norm(proxies.mean(0)) < 0.3


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rule", [Momentum, AdamW])
def test_the_learning_rate_factor_moves_what_is_learnt(name, rule):
    """One step of a factor 7 is a step of seven times the rate, and the rest stays."""
    batch = make_batch("uneven")
    moves = []
    for factor, rate in ((7.0, 0.01), (1.0, 0.07)):
        paddle.seed(3)
        loss = LOSSES[name](lr_factor=factor)
        (parameter,) = loss.parameters()
        before = parameter.numpy().copy()
        optimizer = rule(named_parameters(loss, "loss."), rate)
        features, labels = paddle.to_tensor(batch[0].astype("float32")), paddle.to_tensor(batch[1])
        loss({"features": features}, labels).backward()
        optimizer.step()
        moves.append(parameter.numpy() - before)
    assert np.abs(moves[0]).max() > 1e-3
    np.testing.assert_allclose(moves[0], moves[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rule", [Momentum, AdamW])
def test_what_is_learnt_does_not_decay(name, rule):
    loss = LOSSES[name]()
    (parameter,) = loss.parameters()
    before = parameter.numpy().copy()
    optimizer = rule(named_parameters(loss), 0.1, weight_decay=0.5)
    parameter.grad = paddle.zeros_like(parameter)
    optimizer.step()
    np.testing.assert_array_equal(parameter.numpy(), before)
