import math

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.heads import (
    FC,
    AdaMargin,
    ArcMargin,
    CircleMargin,
    CosMargin,
    SubCenterArcMargin,
)
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


@pytest.mark.parametrize("name", ["ArcMargin", "SubCenterArcMargin"])
def test_a_margin_of_half_a_turn_is_refused(name):
    with pytest.raises(ConfigError, match=rf"head {name}: margin is an angle.*got 3\.2"):
        HEADS.build(name, in_features=4, num_classes=3, margin=3.2)


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


MARGINS = [name for name in HEADS.names() if name.endswith("Margin")]


def plain_cosines(head, features):
    """f.w / |f| |w| in numpy; the nearest of a class's directions where it has several."""
    weight = next(p for name, p in head.named_parameters() if p.ndim == 2).numpy()
    cosines = features @ weight
    cosines /= np.linalg.norm(features, axis=1)[:, None] * np.linalg.norm(weight, axis=0)
    return cosines.reshape([len(features), head.num_classes, -1]).max(2)


@pytest.mark.parametrize("name", MARGINS)
def test_without_labels_or_training_a_margin_head_gives_plain_cosines(name):
    paddle.seed(0)
    head = HEADS.build(name, in_features=6, num_classes=4)
    features, labels = paddle.randn([4, 6]), paddle.to_tensor([0, 1, 2, 3])
    before = {key: value.numpy() for key, value in head.state_dict().items()}
    expected = plain_cosines(head, features.numpy())
    np.testing.assert_allclose(head(features).numpy(), expected, atol=1e-6)
    head.eval()
    np.testing.assert_allclose(head(features, labels).numpy(), expected, atol=1e-6)
    for key, value in head.state_dict().items():  # and no statistic has moved
        np.testing.assert_array_equal(value.numpy(), before[key])


@pytest.mark.parametrize("name", MARGINS)
def test_a_margin_makes_the_true_class_harder_and_no_other(name):
    paddle.seed(0)
    head = HEADS.build(name, in_features=6, num_classes=4)
    features, labels = paddle.randn([4, 6]), paddle.to_tensor([0, 1, 2, 3])
    trained, plain = head(features, labels).numpy(), head(features).numpy() * head.scale
    true = np.eye(4, dtype=bool)
    assert (trained[true] < plain[true]).all()
    if name == "CircleMargin":  # it weighs the others too
        assert not np.allclose(trained[~true], plain[~true])
    else:
        np.testing.assert_allclose(trained[~true], plain[~true], atol=1e-4)


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


@pytest.mark.parametrize("name", MARGINS)
@pytest.mark.parametrize("angle", [0.0, math.pi])
def test_a_margin_head_has_a_finite_gradient_at_the_ends_of_the_scale(name, angle):
    head = HEADS.build(name, in_features=6, num_classes=5)
    directions = head.parameters()[0]
    features = math.cos(angle) * 1e3 * directions.detach().T[:5]
    features.stop_gradient = False
    labels = paddle.arange(5)
    paddle.nn.functional.cross_entropy(head(features, labels), labels).backward()
    assert bool(paddle.isfinite(features.grad).all())
    assert bool(paddle.isfinite(directions.grad).all())


def cos_face(cosine, true, head, quality):
    """CosFace, equation 4: s (cos - m) at the true class."""
    return cosine - head.margin * true


def circle(cosine, true, head, quality):
    """Circle loss, section 3: alpha (s - delta), with the optima 1 + m and -m."""
    m = head.margin
    if true:
        return max(0.0, 1 + m - cosine) * (cosine - (1 - m))
    return max(0.0, cosine + m) * (cosine - m)


def ada_face(cosine, true, head, quality):
    """AdaFace, section 3: cos(theta - m z) - (m + m z) at the true class."""
    angle = math.acos(min(1 - 1e-3, max(-1 + 1e-3, cosine)))
    if not true:
        return math.cos(angle)
    turned = min(math.pi - 1e-3, max(1e-3, angle - head.m * quality))
    return math.cos(turned) - (head.m + head.m * quality)


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda: CosMargin(6, 5, margin=0.3, scale=20.0), cos_face),
        (lambda: CircleMargin(6, 5, margin=0.3, scale=20.0), circle),
        (lambda: AdaMargin(6, 5, m=0.3, h=0.6, s=20.0), ada_face),
    ],
)
def test_the_other_margins_follow_their_papers(build, rule):
    paddle.seed(0)
    rng = np.random.default_rng(1)
    head = build()
    features = (rng.normal(size=(20, 6)) * rng.uniform(0.2, 9, (20, 1))).astype(np.float32)
    labels = rng.integers(0, 5, 20)
    lengths = np.linalg.norm(features, axis=1)
    qualities = np.clip((lengths - lengths.mean()) / (lengths.std(ddof=1) + 1e-3) * 0.6, -1, 1)
    assert qualities.max() == 1.0  # the cut is part of the test
    cosines = plain_cosines(head, features)
    expected = [
        [
            head.scale * rule(cosines[row, column], column == labels[row], head, qualities[row])
            for column in range(5)
        ]
        for row in range(20)
    ]
    ours = head(paddle.to_tensor(features), paddle.to_tensor(labels)).numpy()
    np.testing.assert_allclose(ours, expected, atol=2e-4)


def test_the_weights_of_circle_margin_pass_no_gradient():
    paddle.seed(0)
    head = CircleMargin(6, 5, margin=0.3, scale=1.0)
    features = paddle.randn([1, 6])
    cosine = head(features).numpy()[0]
    head(features, paddle.to_tensor([2])).sum().backward()
    gradient = head.weight.grad.clone()
    head.clear_gradients()
    weights = np.maximum(cosine + 0.3, 0.0)
    weights[2] = 1.3 - cosine[2]
    (head(features) * paddle.to_tensor(weights)).sum().backward()
    np.testing.assert_allclose(gradient.numpy(), head.weight.grad.numpy(), atol=1e-6)


def test_ada_margin_s_statistics_are_a_running_mean_and_saved():
    head = AdaMargin(3, 2, t_alpha=0.25)
    features = paddle.to_tensor([[3.0, 0, 4.0], [0, 0, 7.0]])  # of length 5 and 7
    labels = paddle.to_tensor([0, 1])
    head(features, labels)
    # From 20 and 100 a quarter of the way to 6 and sqrt(2), the deviation of a sample.
    assert head.batch_mean.item() == pytest.approx(0.75 * 20 + 0.25 * 6)
    assert head.batch_std.item() == pytest.approx(75 + 0.25 * math.sqrt(2))
    state = {name: value.numpy().copy() for name, value in head.state_dict().items()}
    assert set(state) == {"kernel", "t", "batch_mean", "batch_std"}
    other = AdaMargin(3, 2, t_alpha=0.25)
    other.set_state_dict(state)
    np.testing.assert_array_equal(other(features, labels).numpy(), head(features, labels).numpy())


def test_ada_margin_stands_a_batch_of_one():
    head = AdaMargin(3, 2)
    logits = head(paddle.to_tensor([[3.0, 0, 4.0]]), paddle.to_tensor([1]))
    assert bool(paddle.isfinite(logits).all())
    assert head.batch_std.item() == 100.0


def test_ada_margin_starts_with_unit_directions():
    paddle.seed(4)
    kernel = AdaMargin(50, 40).kernel.numpy()
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1.0, atol=1e-6)
    assert kernel.min() < -0.1
    paddle.seed(4)
    np.testing.assert_array_equal(AdaMargin(50, 40).kernel.numpy(), kernel)


def test_sub_center_arc_margin_counts_the_nearest_direction():
    # Two classes with two directions each, at angles of 0 and 90, and of 180 and 270 degrees.
    head = SubCenterArcMargin(2, 2, margin=0.5, scale=1.0, sub_centers=2)
    head.weight.set_value(np.array([[1, 0, -1, 0], [0, 1, 0, -1]], np.float32))
    at = math.radians(60)
    features = paddle.to_tensor([[math.cos(at), math.sin(at)]])
    nearest, other = math.radians(30), math.radians(120)
    np.testing.assert_allclose(
        head(features).numpy(), [[math.cos(nearest), math.cos(other)]], atol=1e-6
    )
    np.testing.assert_allclose(
        head(features, paddle.to_tensor([0])).numpy(),
        [[math.cos(nearest + 0.5), math.cos(other)]],
        atol=2e-6,
    )


def test_with_one_direction_sub_center_arc_margin_is_arc_margin():
    paddle.seed(0)
    several, one = SubCenterArcMargin(6, 5, sub_centers=1), ArcMargin(6, 5)
    one.set_state_dict(several.state_dict())
    features, labels = paddle.randn([8, 6]), paddle.arange(8) % 5
    np.testing.assert_array_equal(several(features, labels).numpy(), one(features, labels).numpy())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ArcMargin", {"margin": 0.2, "scale": 30.0}),
        ("ArcMargin easy", {"margin": 0.2, "scale": 30.0, "easy_margin": True}),
        ("CosMargin", {"margin": 0.35, "scale": 64.0}),
        ("CircleMargin", {"margin": 0.35, "scale": 64.0}),
        ("AdaMargin", {"m": 0.4, "h": 0.333, "s": 64.0, "t_alpha": 0.5}),
    ],
)
def test_margins_equal_paddleclas(name, options, golden, conformance):
    features = conformance.seeded_values("features", (12, 16))
    # Almost along a class and almost away from one, as the golden outputs were made.
    ends = conformance.seeded_values("weight", (16, 10)).T[:2] + np.float32(0.05) * features[:2]
    features = paddle.to_tensor(np.concatenate([features, ends[:1], -ends[1:]]))
    labels = paddle.to_tensor([*range(10), 0, 1, 0, 1])
    head = HEADS.build(name.split()[0], in_features=16, num_classes=10, **options)
    conformance.fill(head)
    for step in ("", " again") if name == "AdaMargin" else ("",):
        logits = head(features, labels)
        expected = golden[f"{name} training{step}"]
        assert np.abs(logits.numpy() - expected).max() < 1e-5 * np.abs(expected).max()
    paddle.nn.functional.cross_entropy(logits, labels).backward()
    expected = golden[f"{name} gradient"]
    gradient = head.parameters()[0].grad.numpy()
    assert np.abs(gradient - expected).max() < 1e-5 * np.abs(expected).max()
    if name != "AdaMargin":  # PaddleClas's has no logits in evaluation
        head.eval()
        expected = golden[f"{name} evaluation"]
        np.testing.assert_allclose(head(features).numpy(), expected, atol=1e-6)


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
