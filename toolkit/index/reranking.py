"""Putting hits in order a second time, by what they have in common."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def expanded_query(
    query: NDArray[np.float32], neighbours: NDArray[np.float32], *, power: float = 3.0
) -> NDArray[np.float32]:
    """Returns the query moved towards its nearest neighbours, for a second search.

    Source: Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation",
    2018, section 3.4 (alpha query expansion).

    Args:
        query: float32 [d], of length 1.
        neighbours: float32 [m, d], of length 1.
        power: of the cosine that each neighbour counts with; 0 is the plain mean.

    Returns:
        float32 [d], of length 1.
    """
    cosines = np.clip(neighbours @ query, 0, 1)
    moved = query + (cosines**power) @ neighbours
    scaled: NDArray[np.float32] = (moved / np.linalg.norm(moved)).astype(np.float32)
    return scaled


def k_reciprocal_order(
    query: NDArray[np.float32],
    candidates: NDArray[np.float32],
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
) -> NDArray[np.int64]:
    """Orders candidates by how many neighbours they share with the query.

    Source: Zhong, Zheng, Cao and Li, "Re-ranking person re-identification with k-reciprocal
    encoding", 2017. Neighbours are looked for among the query and its candidates, which is what an
    index can give for one query.

    Args:
        query: float32 [d], of length 1.
        candidates: float32 [n, d], of length 1, nearest first.
        k1: neighbours that must be each other's.
        k2: neighbours whose encodings are averaged.
        weight: of the plain distance beside the shared neighbours, from 0 to 1.

    Returns:
        int64 [n], places of the candidates in their new order.
    """
    vectors = np.concatenate([query[None], candidates]).astype(np.float64)
    distances = np.maximum(2 - 2 * vectors @ vectors.T, 0)
    distances /= np.maximum(distances.max(axis=1, keepdims=True), 1e-12)
    order = np.argsort(distances, axis=1, kind="stable")
    k1, k2 = min(k1, len(candidates)), min(k2, len(vectors))
    encoded = _encoded(distances, order, k1)
    if k2 > 1:
        encoded = encoded[order[:, :k2]].mean(axis=1)
    shared = np.minimum(encoded[:1], encoded[1:]).sum(axis=1)
    jaccard = 1 - shared / np.maximum(2 - shared, 1e-12)
    final = (1 - weight) * jaccard + weight * distances[0, 1:]
    return np.argsort(final, kind="stable")


def _encoded(distances: NDArray[Any], order: NDArray[np.int64], k1: int) -> NDArray[Any]:
    """Returns for each vector how near its reciprocal neighbours are, as a row that sums to 1."""
    mutual, half = _mutual(order, k1), _mutual(order, -(-k1 // 2))
    # [i, j]: which share of the close neighbours of j are neighbours of i.
    shared = mutual.astype(np.float64) @ half.T.astype(np.float64)
    joins = mutual & (shared > 2 / 3 * half.sum(axis=1))
    wide = mutual | ((joins.astype(np.float64) @ half.astype(np.float64)) > 0)
    near = np.where(wide, np.exp(-distances), 0)
    encoded: NDArray[np.float64] = near / near.sum(axis=1, keepdims=True)
    return encoded


def _mutual(order: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Returns [n, n]: whether two vectors are among each other's k nearest; each is its own."""
    near = np.zeros(order.shape, np.bool_)
    np.put_along_axis(near, order[:, : k + 1], values=True, axis=1)
    both: NDArray[np.bool_] = near & near.T
    return both
