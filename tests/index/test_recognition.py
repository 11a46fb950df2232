import numpy as np
import pytest

from toolkit.errors import VectorIndexError
from toolkit.index.interface import Hit
from toolkit.index.recognition import vote
from toolkit.index.whitening import Whitening


def _hits(*pairs):
    return [
        Hit(str(n), s, 1 - s, {} if name is None else {"label": name})
        for n, (name, s) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("hits", "threshold", "label"),
    [
        ([("a", 0.9), ("b", 0.8), ("b", 0.8)], 0.5, "b"),
        ([("a", 0.9), ("b", 0.6), ("b", 0.6)], 0.5, "a"),
        ([("a", 0.9), ("b", 0.9)], None, "a"),
        ([("a", 0.4), ("b", 0.3)], 0.5, None),
        ([("a", 0.5)], 0.5, "a"),
        ([(None, 0.9), ("b", 0.6)], 0.5, "b"),
        ([], None, None),
    ],
)
def test_near_hits_speak_louder(hits, threshold, label):
    answer = vote(_hits(*hits), threshold=threshold)
    assert answer.label == label
    assert 0 <= answer.share <= 1
    if label is not None:
        assert answer.score == max(score for name, score in hits if name == label)


def test_whitened_vectors_differ_alike_in_every_direction(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4000, 6)) @ np.diag([9, 5, 2, 1, 0.1, 0.01]) + 3
    learned = Whitening.learned(vectors, 4)
    turned = (vectors - learned.mean) @ learned.matrix
    assert np.cov(turned, rowvar=False) == pytest.approx(np.eye(4), abs=1e-3)
    assert np.linalg.norm(learned.apply(vectors), axis=1) == pytest.approx(np.ones(4000))
    learned.save(tmp_path / "whitening.npz")
    again = Whitening.read(tmp_path / "whitening.npz")
    assert (again.apply(vectors) == learned.apply(vectors)).all()


def test_without_strength_it_only_turns():
    vectors = np.random.default_rng(0).normal(size=(50, 5))
    learned = Whitening.learned(vectors, 5, strength=0)
    apart = np.linalg.norm(vectors[0] - vectors[1])
    turned = (vectors - learned.mean) @ learned.matrix
    assert np.linalg.norm(turned[0] - turned[1]) == pytest.approx(apart, rel=1e-5)


def test_what_cannot_be_learned_or_read_is_told(tmp_path):
    with pytest.raises(VectorIndexError, match="more than 5 vectors, not 5"):
        Whitening.learned(np.ones((5, 5)), 5)
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(VectorIndexError, match="is no whitening"):
        Whitening.read(tmp_path / "x.npz")
