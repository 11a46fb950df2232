"""Exact search among some of the vectors: a tile in memory at a time."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.structure import Structure, Tiles
from toolkit.index.similarity import Similarity

# A tile of 512 numbers a vector stays near the processor's last cache.
ROWS_AT_ONCE = 8192


def scan(
    queries: NDArray[Any], tiles: Tiles, k: int, similarity: Similarity
) -> tuple[Closeness, Positions]:
    """Finds the k nearest of all the vectors that `tiles` yields.

    Args:
        queries: prepared [q, w].
        tiles: positions, ascending over all tiles, and their vectors.
        k: from 1.
        similarity: of the index.
    """
    best = np.full((len(queries), k), -np.inf, np.float32)
    where = np.full((len(queries), k), -1, np.int64)
    for positions, vectors in tiles:
        closeness, columns = _nearest(queries, vectors, min(k, len(vectors)), similarity)
        found = np.where(columns < 0, -1, positions[columns])
        best, where = best_of(
            np.concatenate([best, closeness], 1), np.concatenate([where, found], 1), k
        )
    return best, where


def tiles_of(structure: Structure, positions: NDArray[np.int64]) -> Tiles:
    """Yields vectors that a structure holds in memory."""
    for start in range(0, len(positions), ROWS_AT_ONCE):
        some = positions[start : start + ROWS_AT_ONCE]
        vectors = structure.vectors(some)
        if vectors is None:
            raise TypeError("This structure holds codes; read the vectors from the store.")
        yield some, vectors


def best_of(closeness: Closeness, positions: Positions, k: int) -> tuple[Closeness, Positions]:
    """Returns the first k of each row: closeness descending, then position ascending."""
    if closeness.shape[1] <= k and (closeness[:, :-1] > closeness[:, 1:]).all():
        return closeness, positions
    order = np.lexsort((positions, -closeness), axis=1)[:, :k]
    return np.take_along_axis(closeness, order, 1), np.take_along_axis(positions, order, 1)


def _nearest(
    queries: NDArray[Any], vectors: NDArray[Any], k: int, similarity: Similarity
) -> tuple[Closeness, Positions]:
    if similarity.is_binary:
        different, columns = faiss.knn_hamming(queries, vectors, k)
        return -different.astype(np.float32), columns.astype(np.int64)
    if similarity.metric == "l2":
        apart, columns = faiss.knn(queries, vectors, k, faiss.METRIC_L2)
        return -apart, columns
    products, columns = faiss.knn(queries, vectors, k, faiss.METRIC_INNER_PRODUCT)
    return products, columns
