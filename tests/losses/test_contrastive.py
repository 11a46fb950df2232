import math

import numpy as np
import paddle
import pytest
from loss_batches import LAYOUTS, make_batch, mean, negatives, positives, unit, value_of

from toolkit.losses.contrastive import ContrastiveLoss


def contrastive(vectors, labels, *, margin, epsilon=1e-5, normalize=True):
    """Hadsell et al. 2006 on cosines: one anchor, one pair at a time."""
    if normalize:
        vectors = unit(vectors)
    anchors = []
    for anchor in range(len(labels)):
        total = 0.0
        for row in positives(labels, anchor):
            cosine = vectors[anchor] @ vectors[row]
            total += 1 - cosine if cosine < 1 - epsilon else 0.0
        for row in negatives(labels, anchor):
            cosine = vectors[anchor] @ vectors[row]
            total += cosine if cosine > margin else 0.0
        anchors.append(total)
    return mean(anchors)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("margin", [-0.2, 0.5])
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_a_loop_over_pairs_on_any_layout(layout, margin, normalize):
    vectors, labels = make_batch(layout)
    loss = ContrastiveLoss(margin=margin, normalize_feature=normalize, epsilon=0.1)
    expected = contrastive(vectors, labels, margin=margin, epsilon=0.1, normalize=normalize)
    assert value_of(loss, vectors, labels) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("layout", ["P x K", "uneven"])
def test_gradient_equals_finite_differences(layout, check_gradient):
    check_gradient(ContrastiveLoss(margin=0.1), "features", *make_batch(layout))


def test_value_by_hand():
    # Class 0 at 0 and 60 degrees, class 1 at 90: positives are 0.5 short of 1 for two anchors,
    # one negative pair is above 0.5 (30 degrees apart), seen from both sides.
    angles = [0, 60, 90]
    vectors = np.array([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in angles])
    expected = (0.5 + 0.5 + 2 * math.sqrt(3) / 2) / 3
    assert value_of(ContrastiveLoss(margin=0.5), vectors, [0, 0, 1]) == pytest.approx(expected)


def test_copies_are_left_alone():
    vectors = paddle.to_tensor([[1.0, 2.0], [1.0, 2.0]], stop_gradient=False)
    loss = ContrastiveLoss()({"features": vectors}, paddle.to_tensor([1, 1]))
    loss.backward()
    assert float(loss) == 0.0
    assert not vectors.grad.numpy().any()
