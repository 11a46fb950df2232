"""A graph that is walked from neighbour to neighbour; effort is how many it keeps in sight.

Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
Hierarchical Navigable Small World graphs", 2016.
"""

from collections.abc import Mapping
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.approximate import Approximate, faiss_metric, selector
from toolkit.index.kinds.scan import best_of
from toolkit.index.kinds.selection import Selection, restricted_to
from toolkit.index.similarity import Similarity

_LINKS, _CONSTRUCTION = 32, 128


class Hnsw(Approximate):
    """HNSW over the vectors themselves."""

    most_effort = 4096

    @classmethod
    def trained(
        cls, similarity: Similarity, sample: NDArray[Any], options: Mapping[str, int]
    ) -> "Hnsw":
        """Returns an empty graph.

        Args:
            similarity: of the index.
            sample: not needed.
            options: ``links`` of a vector, and ``construction``, the effort of building.
        """
        del sample
        links = options.get("links", _LINKS)
        index: Any
        if similarity.is_binary:
            index = faiss.IndexBinaryHNSW(similarity.dimension, links)
        else:
            index = faiss.IndexHNSWFlat(similarity.dimension, links, faiss_metric(similarity))
        index.hnsw.efConstruction = options.get("construction", _CONSTRUCTION)
        return cls(similarity, index, effort=64)

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds about the k nearest; of bits exactly where there is a selection."""
        if not self.similarity.is_binary:
            return super().search(queries, k, selection)
        if selection is None:
            # FAISS takes the effort for bits from the graph alone.
            self.index.hnsw.efSearch = self.effort
            different, positions = self.index.search(queries, k)
        else:
            bits: Any = faiss.downcast_IndexBinary(self.index.storage)
            different, positions = bits.search(queries, k, params=restricted_to(selection))
        closeness = np.where(positions < 0, -np.inf, -different.astype(np.float32))
        return best_of(closeness.astype(np.float32), positions, k)

    def parameters(self, effort: int, selection: Selection | None) -> Any:
        """Returns what FAISS is told for one search."""
        # The package's stubs lack it.
        make: Any = faiss.SearchParametersHNSW  # type: ignore[attr-defined]
        return make(sel=selector(selection), efSearch=effort)

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Returns vectors [n, w] from memory."""
        width = self.similarity.width
        if not self.size:
            return np.empty((0, width), self.similarity.dtype)
        storage: Any = self.index.storage
        if self.similarity.is_binary:
            held = faiss.downcast_IndexBinary(storage).xb.data()  # type: ignore[attr-defined]
        else:
            held = faiss.downcast_index(storage).get_xb()  # type: ignore[attr-defined]
        flat: NDArray[Any] = faiss.rev_swig_ptr(held, self.size * width)
        taken: NDArray[Any] = flat.reshape(-1, width)[positions]
        return taken
