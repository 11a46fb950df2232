import math

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.heads import FC, ArcMargin
from toolkit.registry import HEADS


def arc_face(features, weight, labels, margin, scale, *, easy=False):
    """ArcFace, equation 3, one angle at a time; beyond 180 degrees as the authors' code does."""
    logits = np.empty((len(features), weight.shape[1]))
    for row, feature in enumerate(features):
        for column in range(weight.shape[1]):
            centre = weight[:, column]
            cosine = feature @ centre / np.linalg.norm(feature) / np.linalg.norm(centre)
            angle = math.acos(min(1.0, max(-1.0, cosine)))
            value = cosine
            if column == labels[row]:
                if easy:
                    value = math.cos(angle + margin) if angle < math.pi / 2 else cosine
                elif angle + margin < math.pi:
                    value = math.cos(angle + margin)
                else:
                    value = cosine - margin * math.sin(margin)
            logits[row, column] = scale * value
    return logits


@pytest.mark.parametrize("name", HEADS.names())
def test_every_head_maps_embeddings_to_logits(name):
    paddle.seed(0)
    head = HEADS.build(name, in_features=8, num_classes=5)
    features, labels = paddle.randn([4, 8]), paddle.to_tensor([0, 4, 2, 2])
    features.stop_gradient = False
    logits = head(features, labels)
    assert logits.shape == [4, 5]
    paddle.nn.functional.cross_entropy(logits, labels).backward()
    for tensor in (features, *head.parameters()):
        assert bool(paddle.isfinite(tensor.grad).all())

    other = HEADS.build(name, in_features=8, num_classes=5)
    assert other.set_state_dict(head.state_dict()) == ([], [])
    np.testing.assert_array_equal(head(features, labels).numpy(), other(features, labels).numpy())
    assert head(features).shape == [4, 5]


@pytest.mark.parametrize("name", HEADS.names())
def test_every_head_stands_a_zero_vector(name):
    paddle.seed(0)
    head = HEADS.build(name, in_features=8, num_classes=5)
    features, labels = paddle.randn([3, 8]), paddle.to_tensor([0, 1, 2])
    features[1] = 0.0
    features.stop_gradient = False
    loss = paddle.nn.functional.cross_entropy(head(features, labels), labels)
    loss.backward()
    for tensor in (loss, features.grad, *(p.grad for p in head.parameters())):
        assert bool(paddle.isfinite(tensor).all())
        assert float(tensor.abs().max()) < 1e3


@pytest.mark.parametrize("easy", [False, True])
@pytest.mark.parametrize(("margin", "scale"), [(0.2, 30.0), (0.5, 64.0), (0.0, 10.0)])
def test_arc_margin_follows_the_paper(margin, scale, easy):
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(6, 5))
    features = rng.normal(size=(20, 6))
    labels = rng.integers(0, 5, 20)
    # Angles of about 3.0 and 2.8 radians: with a margin of 0.2 and 0.5, beyond 180 degrees.
    for row, angle in ((0, 3.0), (1, 2.8), (2, 1.5), (3, 0.1)):
        centre = weight[:, labels[row]] / np.linalg.norm(weight[:, labels[row]])
        side = features[row] - features[row] @ centre * centre
        features[row] = math.cos(angle) * centre + math.sin(angle) * side / np.linalg.norm(side)
    head = ArcMargin(6, 5, margin=margin, scale=scale, easy_margin=easy).to(dtype="float64")
    head.weight.set_value(paddle.to_tensor(weight))
    ours = head(paddle.to_tensor(features), paddle.to_tensor(labels)).numpy()
    # The head's sine has 1e-6 under its root: 5e-6 too large at 0.1 radians.
    expected = arc_face(features, weight, labels, margin, scale, easy=easy)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=6e-6 * scale)


def test_arc_margin_without_labels_or_training_gives_plain_cosines():
    head = ArcMargin(6, 5, margin=0.5, scale=30.0)
    features = paddle.randn([4, 6])
    labels = paddle.to_tensor([0, 1, 2, 3])
    f, w = features.numpy(), head.weight.numpy()
    cosines = f @ w / np.linalg.norm(f, axis=1)[:, None] / np.linalg.norm(w, axis=0)
    np.testing.assert_allclose(head(features).numpy(), cosines, atol=1e-6)
    head.eval()
    np.testing.assert_allclose(head(features, labels).numpy(), cosines, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, math.pi])
def test_arc_margin_has_a_finite_gradient_at_the_ends_of_the_scale(angle):
    head = ArcMargin(6, 5, margin=0.5, scale=64.0)
    features = math.cos(angle) * 1e3 * head.weight.detach().T
    features.stop_gradient = False
    labels = paddle.arange(5)
    paddle.nn.functional.cross_entropy(head(features, labels), labels).backward()
    assert bool(paddle.isfinite(features.grad).all())
    assert bool(paddle.isfinite(head.weight.grad).all())


def test_arc_margin_equals_paddleclas(golden, conformance):
    weight = conformance.seeded_values("weight", (16, 10))
    features = conformance.seeded_values("features", (12, 16))
    features = paddle.to_tensor(np.concatenate([features, weight.T[:1], -weight.T[1:2]]))
    labels = paddle.to_tensor([*range(10), 0, 1, 0, 1])
    for easy in (False, True):
        head = ArcMargin(16, 10, margin=0.2, scale=30.0, easy_margin=easy)
        head.weight.set_value(weight)
        logits = head(features, labels)
        expected = golden["ArcMargin easy training" if easy else "ArcMargin training"]
        np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-6, atol=3e-5)
        if not easy:
            paddle.nn.functional.cross_entropy(logits, labels).backward()
            np.testing.assert_allclose(
                head.weight.grad.numpy(), golden["ArcMargin gradient"], rtol=1e-5, atol=1e-6
            )
    head.eval()
    np.testing.assert_allclose(head(features).numpy(), golden["ArcMargin evaluation"], atol=1e-6)


def test_a_margin_of_half_a_turn_is_refused():
    with pytest.raises(ConfigError, match=r"head ArcMargin: margin is an angle.*got 3\.2"):
        HEADS.build("ArcMargin", in_features=4, num_classes=3, margin=3.2)


def test_fc_can_go_without_bias_and_start_small():
    paddle.seed(0)
    head = FC(200, 50, bias=False, initializer="normal", std=0.001)
    assert list(head.state_dict()) == ["fc.weight"]
    assert float(head.fc.weight.std()) == pytest.approx(0.001, rel=0.03)
    xavier = FC(200, 50)
    assert float(xavier.fc.weight.std()) == pytest.approx(math.sqrt(2 / 250), rel=0.03)
    x = paddle.randn([3, 200])
    np.testing.assert_allclose(
        head(x).numpy(), x.numpy() @ head.fc.weight.numpy(), rtol=1e-4, atol=1e-6
    )
