import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.index.reranking import expanded_query, k_reciprocal_order


def _units(rows):
    rows = np.asarray(rows, float)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _written_out(query, candidates, k1, k2, weight):
    """Re-ranking of the paper in sets and loops."""
    vectors = np.concatenate([query[None], candidates]).astype(float)
    n = len(vectors)
    distance = np.array([[max(2 - 2 * float(a @ b), 0) for b in vectors] for a in vectors])
    distance = np.array([row / max(row.max(), 1e-12) for row in distance])
    order = [sorted(range(n), key=lambda j, i=i: distance[i][j]) for i in range(n)]
    k1, k2 = min(k1, n - 1), min(k2, n)

    def reciprocal(i, k):
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    encoded = np.zeros((n, n))
    for i in range(n):
        wide = set(reciprocal(i, k1))
        for j in reciprocal(i, k1):
            theirs = reciprocal(j, -(-k1 // 2))
            if len(theirs & reciprocal(i, k1)) > 2 / 3 * len(theirs):
                wide |= theirs
        for j in wide:
            encoded[i, j] = np.exp(-distance[i][j])
        encoded[i] /= encoded[i].sum()
    if k2 > 1:
        encoded = np.array([encoded[order[i][:k2]].mean(0) for i in range(n)])
    finals = []
    for j in range(1, n):
        shared = np.minimum(encoded[0], encoded[j]).sum()
        finals.append((1 - weight) * (1 - shared / (2 - shared)) + weight * distance[0][j])
    return np.array(finals)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 25), st.integers(1, 12), st.integers(1, 7), st.integers(0, 1000))
def test_k_reciprocal_is_the_written_out_one(n, k1, k2, seed):
    vectors = _units(np.random.default_rng(seed).normal(size=(n + 1, 5)))
    order = k_reciprocal_order(vectors[0], vectors[1:], k1=k1, k2=k2)
    finals = _written_out(vectors[0], vectors[1:], k1, k2, 0.3)
    assert sorted(order) == list(range(n))
    assert finals[order] == pytest.approx(np.sort(finals), abs=1e-9)


def test_a_stray_near_hit_falls_behind_a_family():
    """One candidate is nearest by chance; the others are each other's neighbours."""
    query = [1, 0, 0.2]
    stray = [1, 0.33, 0.2]
    family = [[1, -0.02 * n - 0.3, 0.5] for n in range(5)]
    far = [[-1, n, 0.1] for n in range(1, 6)]
    vectors = _units([query, stray, *family, *far])
    order = k_reciprocal_order(vectors[0], vectors[1:], k1=4, k2=3, weight=0)
    assert set(order[:6]) == set(range(6))


def test_expansion_moves_towards_the_near_ones():
    query = _units([[1, 0]])[0]
    neighbours = _units([[1, 1], [0, 1]])
    moved = expanded_query(query, neighbours)
    expected = np.array([1, 0]) + (0.5**1.5) * neighbours[0]
    assert moved == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert expanded_query(query, neighbours[:0]) == pytest.approx(query)
