import math

import numpy as np
import paddle
import pytest

from toolkit.losses.triplet_angular import TripletAngularMarginLoss


def batch_hard(vectors, labels, *, margin, normalize=True, weight=0.0, ap=0.9, an=0.5):
    """Hermans et al. 2017, equation 5, on cosines: one anchor at a time."""
    if normalize:
        vectors = [v / np.linalg.norm(v) for v in vectors]
    triplets, pulls, pushes = [], [], []
    for anchor, label in enumerate(labels):
        positives = [
            vectors[anchor] @ vectors[other]
            for other in range(len(labels))
            if labels[other] == label and other != anchor
        ]
        negatives = [
            vectors[anchor] @ vectors[other]
            for other in range(len(labels))
            if labels[other] != label
        ]
        if positives:
            pulls.append(max(0.0, ap - min(positives)))
        if negatives:
            pushes.append(max(0.0, max(negatives) - an))
        if positives and negatives:
            triplets.append(max(0.0, max(negatives) - min(positives) + margin))

    def mean(values):
        return sum(values) / len(values) if values else 0.0

    return mean(triplets) + weight * (mean(pulls) + mean(pushes))


def paddleclas(vectors, labels, *, margin, weight, ap, an):
    """PaddleClas 2.6's loss on a batch of P classes x K images, its defect included."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    triplet, pull, push = [], [], []
    for anchor, label in enumerate(labels):
        cosines = vectors @ vectors[anchor]
        hardest_positive = cosines[labels == label].min()  # the anchor itself among them
        hardest_negative = cosines[labels != label].max()
        triplet.append(max(0.0, hardest_negative - hardest_positive + margin))
        pull.append(max(0.0, ap - hardest_positive))
        push.append(hardest_negative - an if hardest_negative > an else 1.0)
    return np.mean(triplet) + weight * (np.mean(pull) + np.mean(push)), push.count(1.0) / len(push)


LAYOUTS = {
    "P x K": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    "uneven": [0, 1, 1, 2, 2, 2, 3, 1],
    "mostly alone": [0, 1, 2, 3, 3],
    "one class": [5, 5, 5, 5],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_equals_a_loop_over_anchors_on_any_layout(layout, normalize, weight):
    labels = LAYOUTS[layout]
    vectors = np.random.default_rng(len(labels)).normal(0.3, 1, (len(labels), 4))
    loss = TripletAngularMarginLoss(
        margin=0.4,
        normalize=normalize,
        add_absolute=weight > 0,
        absolute_loss_weight=weight,
        ap_value=0.8,
        an_value=0.3,
    )
    value = float(loss({"features": paddle.to_tensor(vectors)}, paddle.to_tensor(labels)))
    expected = batch_hard(
        vectors, labels, margin=0.4, normalize=normalize, weight=weight, ap=0.8, an=0.3
    )
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("layout", ["P x K", "uneven"])
def test_gradient_equals_finite_differences(layout, normalize, check_gradient):
    labels = LAYOUTS[layout]
    vectors = np.random.default_rng(2).normal(0.3, 1, (len(labels), 4))
    loss = TripletAngularMarginLoss(
        margin=0.4, normalize=normalize, add_absolute=True, absolute_loss_weight=0.3
    )
    check_gradient(loss, "features", vectors, labels)


def test_value_by_hand():
    # Class 0 at 0 and 60 degrees, class 1 at 90 and 180 degrees.
    angles = [0, 60, 90, 180]
    vectors = [[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in angles]
    # Anchor: hardest positive, hardest negative, hinge with margin 0.5:
    #   0: cos 60 = 0.5, cos 90 = 0    -> 0
    #  60: cos 60 = 0.5, cos 30 = 0.866 -> 0.866
    #  90: cos 90 = 0,   cos 30 = 0.866 -> 1.366
    # 180: cos 90 = 0,   cos 120 = -0.5 -> 0
    value = TripletAngularMarginLoss(margin=0.5)(
        {"features": paddle.to_tensor(vectors)}, paddle.to_tensor([0, 0, 1, 1])
    )
    root = math.sqrt(3) / 2
    assert float(value) == pytest.approx((root + (root + 0.5)) / 4, rel=1e-6)


def test_is_paddleclas_s_loss_without_the_constant():
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(6), 4)
    vectors = rng.normal(size=(6, 8))[labels] + rng.normal(0, 0.8, (24, 8))
    options = {"margin": 0.5, "ap": 0.8, "an": 0.4}
    theirs, share_of_constants = paddleclas(vectors, labels, weight=0.1, **options)
    assert 0.0 < share_of_constants < 1.0
    loss = TripletAngularMarginLoss(
        margin=0.5, add_absolute=True, absolute_loss_weight=0.1, ap_value=0.8, an_value=0.4
    )
    ours = float(loss({"features": paddle.to_tensor(vectors)}, paddle.to_tensor(labels)))
    assert ours == pytest.approx(theirs - 0.1 * share_of_constants, rel=1e-6)


@pytest.mark.parametrize("labels", [[0, 1, 2], [7, 7, 7], [3]])
def test_no_triplet_means_zero_loss_and_zero_gradient(labels):
    features = paddle.randn([len(labels), 4])
    features.stop_gradient = False
    loss = TripletAngularMarginLoss()({"features": features}, paddle.to_tensor(labels))
    loss.backward()
    assert float(loss) == 0.0
    assert not features.grad.numpy().any()


def test_reads_the_output_it_is_told_to():
    labels = paddle.to_tensor([0, 0, 1, 1])
    outputs = {"features": paddle.randn([4, 3]), "backbone": paddle.randn([4, 5])}
    swapped = {"features": outputs["backbone"], "backbone": outputs["features"]}
    from_backbone = TripletAngularMarginLoss(feature_from="backbone")(outputs, labels)
    assert float(from_backbone) == float(TripletAngularMarginLoss()(swapped, labels))
