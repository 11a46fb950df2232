"""Both losses with a memory, against a list of all earlier rows and one anchor at a time."""

import numpy as np
import pytest
from loss_batches import mean, unit, value_of

from toolkit.losses.contrastive import ContrastiveLoss
from toolkit.losses.triplet_angular import TripletAngularMarginLoss
from toolkit.losses.xbm import ContrastiveLoss_XBM, TripletAngularMarginLoss_XBM


def contrastive(pairs, margin=0.3):
    return mean(
        [sum(1 - s for s in far) + sum(s for s in near if s > margin) for far, near in pairs]
    )


def angular(pairs, margin=0.3):
    """With the absolute part: ap_value 0.9, an_value 0.2, weight 0.5."""
    triplets = [max(0.0, max(near) - min(far) + margin) for far, near in pairs if far and near]
    pull = [max(0.0, 0.9 - min(far)) for far, _ in pairs if far]
    push = [max(0.0, max(near) - 0.2) for _, near in pairs if near]
    return mean(triplets) + 0.5 * (mean(pull) + mean(push))


def pairs_with(vectors, labels, references, slots):
    """For each anchor its cosines to positives and negatives; its own place is neither."""
    for row, (vector, label) in enumerate(zip(vectors, labels, strict=True)):
        others = [r for place, r in enumerate(references) if place != slots[row]]
        yield (
            [vector @ other for other, theirs in others if theirs == label],
            [vector @ other for other, theirs in others if theirs != label],
        )


def with_memory(batches, of_pairs, *, size, weight, start_iter):
    """Wang et al. 2020, algorithm 1: take in, then compare with the batch and the memory."""
    rows, values = [], []
    for number, (vectors, labels) in enumerate(batches, start=1):
        batch = list(zip(unit(vectors), labels, strict=True))
        own = range(len(batch))
        value = of_pairs(list(pairs_with(unit(vectors), labels, batch, own)))
        if number > start_iter:
            rows = [*rows, *batch][-size:]
            slots = [len(rows) - len(batch) + row for row in own]
            held = list(pairs_with(unit(vectors), labels, rows, slots))
            value += weight * of_pairs(held)
        values.append(value)
    return values


def make_batches(sizes=(4, 6, 3, 5, 9), seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(0.2, 1, (b, 4)).astype("float32"), rng.integers(0, 4, b)) for b in sizes]


LOSSES = {
    "contrastive": (contrastive, ContrastiveLoss_XBM, {"margin": 0.3}),
    "angular": (
        angular,
        TripletAngularMarginLoss_XBM,
        {
            "margin": 0.3,
            "add_absolute": True,
            "absolute_loss_weight": 0.5,
            "ap_value": 0.9,
            "an_value": 0.2,
        },
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [7, 100])
@pytest.mark.parametrize("start_iter", [0, 2])
def test_equals_a_loop_over_all_that_was_seen(name, size, start_iter):
    of_pairs, loss_class, options = LOSSES[name]
    loss = loss_class(4, xbm_size=size, xbm_weight=0.7, start_iter=start_iter, **options)
    expected = with_memory(make_batches(), of_pairs, size=size, weight=0.7, start_iter=start_iter)
    found = [value_of(loss, *batch) for batch in make_batches()]
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_equals_finite_differences(name, check_gradient):
    """Of the batch against a memory that stays as it is."""
    _, loss_class, options = LOSSES[name]
    loss = loss_class(4, start_iter=0, xbm_size=12, **options)
    first, second, (vectors, labels), *_ = make_batches()
    for batch in (first, second):
        value_of(loss, *batch)
    loss.eval()
    check_gradient(loss, "features", vectors.astype("float64"), labels)


@pytest.mark.parametrize(
    ("plain", "remembering"),
    [
        (ContrastiveLoss, ContrastiveLoss_XBM),
        (TripletAngularMarginLoss, TripletAngularMarginLoss_XBM),
    ],
)
def test_before_the_memory_begins_it_is_the_plain_loss(plain, remembering):
    loss = remembering(4)  # a thousand batches come first
    for batch in make_batches():
        assert value_of(loss, *batch) == value_of(plain(), *batch)


def test_the_memory_is_in_the_state_under_its_own_names():
    loss = ContrastiveLoss_XBM(4, xbm_size=5)
    assert {name: list(value.shape) for name, value in loss.state_dict().items()} == {
        "memory.vectors": [5, 4],
        "memory.labels": [5],
        "memory.written": [],
        "memory.iteration": [],
    }
    assert loss.parameters() == []


def test_vectors_are_held_in_the_scale_they_are_compared_in():
    batch = make_batches()[0]
    for normalize in (True, False):
        loss = ContrastiveLoss_XBM(4, xbm_size=4, start_iter=0, normalize_feature=normalize)
        value_of(loss, *batch)
        held = loss.memory.vectors.numpy()
        np.testing.assert_allclose(held, unit(batch[0]) if normalize else batch[0], rtol=1e-6)
