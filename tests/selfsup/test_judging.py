"""Numbers that need no labels, nearest neighbours, and a run that has collapsed."""

import numpy as np
import pytest

from toolkit.errors import CollapsedError
from toolkit.metrics.knn import knn_hits
from toolkit.selfsup.geometry import alignment, describe, effective_rank, feature_std, uniformity
from toolkit.training.collapse import CollapseWatch
from toolkit.training.learner import Position, StepRecord


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_geometry_of_one_point():
    same = np.tile(unit(np.ones((1, 4))), (5, 1))
    assert feature_std(same) == pytest.approx(0, abs=1e-9)
    assert effective_rank(same) == pytest.approx(1)
    assert effective_rank(np.zeros((5, 4))) == 1
    assert (alignment(same, same), uniformity(same)) == pytest.approx((0, 0), abs=1e-9)


def test_geometry_of_an_even_cross():
    cross = np.concatenate([np.eye(3), -np.eye(3)])
    assert feature_std(cross) == pytest.approx(1)
    assert effective_rank(cross) == pytest.approx(3)
    assert alignment(cross, -cross) == pytest.approx(4)
    # Of 15 pairs 3 are opposite (squared distance 4), 12 at right angles (2).
    assert uniformity(cross) == pytest.approx(np.log((3 * np.exp(-8) + 12 * np.exp(-4)) / 15))


def test_rank_does_not_count_what_all_vectors_share():
    rng = np.random.default_rng(0)
    shared = unit(10 + 0.01 * rng.normal(size=(40, 5)))
    assert effective_rank(shared) < 1.1
    assert describe(shared, shared)["effective_rank"] > 3


def slow_knn(query, gallery, labels, ids, k):
    hits = []
    for vector, label, name in zip(query, labels[0], ids[0], strict=True):
        voters = [
            (float(vector @ other), row) for row, other in enumerate(gallery) if ids[1][row] != name
        ]
        votes = dict.fromkeys(labels[1], 0.0)
        for cosine, row in sorted(voters, key=lambda pair: -pair[0])[:k]:
            votes[labels[1][row]] += np.exp(cosine / 0.07)
        hits.append(float(max(votes, key=votes.get) == label))
    return hits


@pytest.mark.parametrize("k", [1, 4, 50])
def test_neighbours_vote_as_in_the_loop(k):
    rng = np.random.default_rng(k)
    query, gallery = (unit(rng.normal(size=(n, 3))).astype("float32") for n in (30, 20))
    gallery[:5] = query[:5]
    labels = [[str(x) for x in rng.integers(4, size=n)] for n in (30, 20)]
    labels[0][0] = "not in the gallery"
    ids = [[f"q{n}" for n in range(30)], [f"q{n}" if n < 5 else f"g{n}" for n in range(20)]]
    found = knn_hits(query, gallery, tuple(labels), tuple(ids), k)
    assert found.tolist() == slow_knn(query, gallery, labels, ids, k)
    assert 0 < found.sum() < 30


def step(number, spread):
    parts = {} if spread is None else {"spread": spread}
    return StepRecord(Position(1, number, number), 1, 0.1, 0.5, parts, 8, [], 0.1, 0.0)


def test_a_collapse_stops_the_run_after_some_steps_in_a_row():
    watch = CollapseWatch(0.02, 3, "stop")
    for number, spread in enumerate([0.01, 0.01, 0.5, 0.0, None, 0.0]):
        watch.on_step(step(number, spread))
    with pytest.raises(CollapsedError, match=r"last 3 updates up to step 9.*SelfSup.on_collapse"):
        watch.on_step(step(9, 0.001))


def test_a_collapse_may_only_be_told(caplog):
    watch = CollapseWatch(0.02, 2, "warn")
    for number in range(5):
        watch.on_step(step(number, 0.0))
    assert caplog.text.count("have collapsed") == 1
