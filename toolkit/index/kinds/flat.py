"""Exact search over all vectors."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.scan import best_of, scan, tiles_of
from toolkit.index.kinds.selection import Selection
from toolkit.index.similarity import Similarity

_AT_FIRST = 1024


class Flat:
    """Float vectors, compared one by one.

    They are in an array of numpy's and not in an index of FAISS's: numpy asks the system for large
    pages, and reading vectors in order is then a fifth to a third faster.

    Args:
        similarity: of the index; not hamming.
    """

    exact_scores = True
    candidates = 1

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity
        self._metric = faiss.METRIC_L2 if similarity.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        self._vectors = np.empty((_AT_FIRST, similarity.dimension), np.float32)
        self.size = 0

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, w] behind the others."""
        size = self.size + len(vectors)
        if size > len(self._vectors):
            grown = np.empty((max(size, 2 * len(self._vectors)), vectors.shape[1]), np.float32)
            grown[: self.size] = self._held()
            self._vectors = grown
        self._vectors[self.size : size] = vectors
        self.size = size

    def remove(self, positions: NDArray[np.int64]) -> bool:
        """Makes positions unfindable: what is not a number is nearer than nothing."""
        self._held()[positions] = np.nan
        return True

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds the k nearest of the selection, or of all."""
        if selection is not None:
            found = scan(queries, tiles_of(self, selection.positions()), k, self._similarity)
        else:
            values, positions = faiss.knn(queries, self._held(), k, self._metric)
            found = (-values if self._similarity.metric == "l2" else values), positions
        return self._settled(queries, *found)

    def _settled(
        self, queries: NDArray[Any], closeness: Closeness, positions: Positions
    ) -> tuple[Closeness, Positions]:
        """Marks what was not found, and computes distances anew.

        FAISS takes a squared distance from squares and a product, which for near vectors is what
        rounding left of large numbers.
        """
        if self._similarity.metric == "l2":
            held = self._held()[np.maximum(positions, 0)]
            closeness = self._similarity.closeness(queries, held)
        closeness = np.where((positions < 0) | np.isnan(closeness), -np.inf, closeness)
        positions = np.where(np.isneginf(closeness), -1, positions)
        return best_of(closeness, positions, positions.shape[1])

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Returns vectors [n, w] from memory."""
        taken: NDArray[np.float32] = self._held()[positions]
        return taken

    def _held(self) -> NDArray[np.float32]:
        return self._vectors[: self.size]
