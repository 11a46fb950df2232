"""Exact search over all vectors."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.scan import best_of, scan, tiles_of
from toolkit.index.kinds.selection import Selection
from toolkit.index.similarity import Similarity


class Flat:
    """Float vectors, compared one by one.

    Args:
        similarity: of the index; not hamming.
    """

    exact_scores = True
    candidates = 1

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity
        is_l2 = similarity.metric == "l2"
        make = faiss.IndexFlatL2 if is_l2 else faiss.IndexFlatIP
        self.index = make(similarity.dimension)

    @property
    def size(self) -> int:
        """Vectors that were added, removed ones too."""
        return int(self.index.ntotal)

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, w] behind the others."""
        self.index.add(vectors)

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
            values, positions = self.index.search(queries, k)
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
        count = self.size * self._similarity.dimension
        if not count:
            return np.empty((0, self._similarity.dimension), np.float32)
        flat: NDArray[np.float32] = faiss.rev_swig_ptr(self.index.get_xb(), count)
        return flat.reshape(self.size, self._similarity.dimension)
