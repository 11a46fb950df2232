"""Vectors in lists around centres; effort is how many lists a search reads.

Source: Jegou, Douze and Schmid, "Product quantization for nearest neighbor search", 2011.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.approximate import Approximate, faiss_metric, selector
from toolkit.index.kinds.binary import FlatBits
from toolkit.index.kinds.selection import Selection
from toolkit.index.similarity import Similarity

# FAISS warns below the first number of training vectors a list; above the second little is gained.
LEAST_A_LIST, MOST_A_LIST = 39, 100
# More rounds of k-means move the centres hardly any more.
_ROUNDS = 10
_NUMBERS_A_BYTE = 8


def lists_for(count: int) -> int:
    """Returns how many lists suit so many vectors: four times the square root."""
    return int(np.clip(4 * np.sqrt(count), 1, max(count // LEAST_A_LIST, 1)))


class Ivf(Approximate):
    """Lists of the vectors themselves, and where each of them stands."""

    def __init__(self, similarity: Similarity, index: Any, **options: int) -> None:
        super().__init__(similarity, index, **options)
        if self.exact_scores:
            index.make_direct_map()

    @classmethod
    def trained(
        cls, similarity: Similarity, sample: NDArray[Any], options: Mapping[str, int]
    ) -> "Ivf":
        """Returns empty lists around the centres of a sample.

        Args:
            similarity: of the index.
            sample: prepared [n, w].
            options: ``lists``, how many.
        """
        lists = min(options.get("lists", lists_for(len(sample))), len(sample))
        index = cls._make(similarity, lists, options)
        index.cp.min_points_per_centroid = 1
        index.cp.niter = _ROUNDS
        index.train(sample)
        return cls(similarity, index, effort=max(lists // 16, 1))

    @classmethod
    def _make(cls, similarity: Similarity, lists: int, options: Mapping[str, int]) -> Any:
        del options
        metric, dimension = faiss_metric(similarity), similarity.dimension
        coarse = faiss.IndexFlat(dimension, metric)
        index = faiss.IndexIVFFlat(coarse, dimension, lists, metric)
        return _owning(index, coarse)

    @property
    def most_effort(self) -> int:  # type: ignore[override]
        """The number of lists."""
        return int(self.index.nlist)

    def parameters(self, effort: int, selection: Selection | None) -> Any:
        """Returns what FAISS is told for one search."""
        make: Any = faiss.SearchParametersIVF  # the package's stubs lack its arguments
        return make(sel=selector(selection), nprobe=effort)

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any] | None:
        """Returns vectors [n, w] from the lists; None where they hold codes."""
        if not self.exact_scores:
            return None
        taken: NDArray[np.float32] = self.index.reconstruct_batch(positions)
        return taken


class IvfPq(Ivf):
    """Lists of short codes: `bytes` a vector, in place of four for each number."""

    exact_scores: ClassVar[bool] = False

    @classmethod
    def _make(cls, similarity: Similarity, lists: int, options: Mapping[str, int]) -> Any:
        metric, dimension = faiss_metric(similarity), similarity.dimension
        wanted = options.get("bytes", max(dimension // _NUMBERS_A_BYTE, 1))
        parts = max(part for part in range(1, wanted + 1) if dimension % part == 0)
        coarse = faiss.IndexFlat(dimension, metric)
        index = faiss.IndexIVFPQ(coarse, dimension, lists, parts, 8, metric)
        index.pq.cp.min_points_per_centroid = 1
        index.pq.cp.niter = _ROUNDS
        return _owning(index, coarse)


class IvfBits(Ivf):
    """Lists of packed bits, and all of them in one row for searches under a filter."""

    def __init__(self, similarity: Similarity, index: Any, **options: int) -> None:
        super().__init__(similarity, index, **options)
        self._all = FlatBits(similarity)
        if self.size:
            self._all.add(index.reconstruct_n(0, self.size))

    @classmethod
    def _make(cls, similarity: Similarity, lists: int, options: Mapping[str, int]) -> Any:
        del options
        coarse = faiss.IndexBinaryFlat(similarity.dimension)
        return _owning(faiss.IndexBinaryIVF(coarse, similarity.dimension, lists), coarse)

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, w] behind the others."""
        super().add(vectors)
        self._all.add(vectors)

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds about the k nearest; exactly where there is a selection, which FAISS lacks here."""
        if selection is not None:
            return self._all.search(queries, k, selection)
        return super().search(queries, k, None)

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Returns vectors [n, w] from memory."""
        return self._all.vectors(positions)


def _owning(index: Any, coarse: Any) -> Any:
    """Has FAISS free the centres with the lists."""
    coarse.this.disown()
    index.own_fields = True
    return index
