import numpy as np
import pytest
from loss_batches import LAYOUTS, make_batch, mean, negatives, positives, squared, unit, value_of

from toolkit.losses.triplet import MSMLoss, TriHardLoss, TripletLossV2


def distances(vectors, *, normalize):
    if normalize:
        vectors = unit(vectors)
    return [[squared(one, other) ** 0.5 for other in vectors] for one in vectors]


def batch_hard(vectors, labels, *, margin, normalize=True):
    """Hermans et al. 2017, equation 5."""
    d, values = distances(vectors, normalize=normalize), []
    for anchor in range(len(labels)):
        near, far = negatives(labels, anchor), positives(labels, anchor)
        if near and far:
            hardest = max(d[anchor][p] for p in far) - min(d[anchor][n] for n in near)
            values.append(max(0.0, hardest + margin))
    return mean(values)


def semi_hard(vectors, labels, *, margin, normalize=True):
    """Schroff et al. 2015, equation 4; without such a negative the farthest, as TensorFlow."""
    d, values = distances(vectors, normalize=normalize), []
    for anchor in range(len(labels)):
        others = [d[anchor][row] for row in negatives(labels, anchor)]
        for positive in positives(labels, anchor):
            if others:
                farther = [other for other in others if other > d[anchor][positive]]
                chosen = min(farther) if farther else max(others)
                values.append(max(0.0, d[anchor][positive] - chosen + margin))
    return mean(values)


MININGS = {"hard": batch_hard, "semi_hard": semi_hard}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("mining", MININGS)
def test_triplet_equals_a_loop_over_triplets(layout, normalize, mining):
    vectors, labels = make_batch(layout)
    loss = TripletLossV2(margin=0.4, mining=mining, normalize_feature=normalize)
    expected = MININGS[mining](vectors, labels, margin=0.4, normalize=normalize)
    assert value_of(loss, vectors, labels) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("layout", ["P x K", "uneven"])
def test_gradient_of_triplet_equals_finite_differences(layout, mining, check_gradient):
    loss = TripletLossV2(margin=0.4, mining=mining)
    check_gradient(loss, "features", *make_batch(layout))


@pytest.mark.parametrize(
    ("negatives_at", "mining", "hinges"),
    [
        # The anchors are at 0 and 2 on a line, each the other's positive, 2 away.
        # Hardest: the negative at 1 for both.
        ([1.0, 3.0], "hard", [2 - 1 + 0.5, 2 - 1 + 0.5]),
        # Semi-hard: 0 takes the one at 3; 2 has none farther than its positive and takes any.
        ([1.0, 3.0], "semi_hard", [0.0, 2 - 1 + 0.5]),
        # They are 0.3 and 4.2 away from 0, and 2.3 and 2.2 from 2: it takes 4.2 and 2.2.
        ([-0.3, 4.2], "semi_hard", [0.0, 2 - 2.2 + 0.5]),
        # As far as the positive is not farther: 0 takes the one at 3, and 2 the one at -2.
        ([-2.0, 3.0], "semi_hard", [0.0, 0.0]),
    ],
)
def test_triplet_by_hand(negatives_at, mining, hinges):
    vectors = np.array([[0.0], [2.0], *([place] for place in negatives_at)])
    loss = TripletLossV2(margin=0.5, mining=mining, normalize_feature=False)
    # The negatives are alone in their classes, so only the first two rows are anchors.
    assert value_of(loss, vectors, [7, 7, 1, 2]) == pytest.approx(mean(hinges))


@pytest.mark.parametrize("mining", MININGS)
def test_without_a_negative_no_margin_is_too_wide(mining):
    loss = TripletLossV2(margin=50.0, mining=mining)
    assert value_of(loss, *make_batch("one class")) == 0.0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_trihard_equals_a_loop_over_anchors(layout):
    vectors, labels = make_batch(layout)
    d, values = distances(vectors, normalize=True), []
    for anchor in range(len(labels)):
        far = [d[anchor][row] ** 2 for row in positives(labels, anchor)]
        near = [d[anchor][row] ** 2 for row in negatives(labels, anchor)]
        if far and near:
            values.append(max(0.0, max(far) - min(near) + 0.3))
    found = value_of(TriHardLoss(margin=0.3), vectors, labels)
    assert found == pytest.approx(mean(values), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_msm_equals_a_loop_over_all_pairs(layout):
    vectors, labels = make_batch(layout)
    d = distances(vectors, normalize=True)
    rows = range(len(labels))
    far = [d[a][p] ** 2 for a in rows for p in positives(labels, a)]
    near = [d[a][n] ** 2 for a in rows for n in negatives(labels, a)]
    expected = max(0.0, max(far) - min(near) + 0.3) if far and near else 0.0
    found = value_of(MSMLoss(margin=0.3), vectors, labels)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", [TriHardLoss(margin=0.3), MSMLoss(margin=0.3)])
def test_gradients_equal_finite_differences(loss, check_gradient):
    check_gradient(loss, "features", *make_batch("uneven"))


@pytest.mark.parametrize("loss", [TriHardLoss(margin=0.3), MSMLoss(margin=0.3)])
def test_is_paddleclas_s_loss_on_its_layout(loss):
    """PaddleClas's block arithmetic: k rows of a class together, the class's block cut out."""
    classes, k = 4, 3
    labels = np.repeat(np.arange(classes), k)
    vectors = np.random.default_rng(3).normal(0, 1, (12, 5))
    d2 = np.array(distances(vectors, normalize=True)) ** 2
    blocks = [slice(k * (row // k), k * (row // k) + k) for row in range(12)]
    farthest = np.array([d2[row, block].max() for row, block in enumerate(blocks)])
    nearest = np.array([np.delete(d2[row], np.r_[block]).min() for row, block in enumerate(blocks)])
    if isinstance(loss, MSMLoss):
        farthest, nearest = farthest.max(), nearest.min()
    expected = np.maximum(farthest + 0.3 - nearest, 0).mean()
    assert value_of(loss, vectors, labels) == pytest.approx(expected, rel=1e-9)
