"""Exact search over packed bits."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.scan import best_of
from toolkit.index.kinds.selection import Selection, restricted_to
from toolkit.index.similarity import Similarity


class FlatBits:
    """Packed bits, compared one by one.

    Args:
        similarity: hamming.
    """

    exact_scores = True
    candidates = 1

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity
        self.index: Any = faiss.IndexBinaryFlat(similarity.dimension)

    @property
    def size(self) -> int:
        """Vectors that were added, removed ones too."""
        return int(self.index.ntotal)

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, w] behind the others."""
        self.index.add(vectors)

    def remove(self, positions: NDArray[np.int64]) -> bool:  # noqa: ARG002 - bits have no spare value
        """Does nothing: searches are told what is left."""
        return False

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds the k nearest of the selection, or of all."""
        parameters = None if selection is None else restricted_to(selection)
        different, positions = self.index.search(queries, k, params=parameters)
        closeness = np.where(positions < 0, -np.inf, -different.astype(np.float32))
        return best_of(closeness.astype(np.float32), positions, k)

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Returns vectors [n, w] from memory."""
        width = self._similarity.width
        if not self.size:
            return np.empty((0, width), np.uint8)
        taken: NDArray[np.uint8] = self._held()[positions]
        return taken

    def _held(self) -> NDArray[np.uint8]:
        width = self._similarity.width
        flat: NDArray[np.uint8] = faiss.rev_swig_ptr(
            self.index.xb.data(),
            self.size * width,
        )
        return flat.reshape(self.size, width)
