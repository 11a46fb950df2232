"""Structures on FAISS that look at some of the vectors only, or at codes of them."""

import os
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.scan import best_of
from toolkit.index.kinds.selection import Selection
from toolkit.index.similarity import Similarity

_FILE = "structure.faiss"
_WIDER = 1.5


class Approximate:
    """What the kinds share: FAISS answers, and a filter makes it look further.

    Args:
        similarity: of the index.
        index: of FAISS, trained.
        effort: how far a search looks, from 1: the meaning is the kind's.
        candidates: for codes: so many times k are compared with their vectors.
    """

    exact_scores: ClassVar[bool] = True
    most_effort: int = 1

    def __init__(
        self, similarity: Similarity, index: Any, *, effort: int = 1, candidates: int = 1
    ) -> None:
        self.similarity, self.index = similarity, index
        self.effort, self.candidates = effort, candidates
        # What FAISS is told for an effort without a filter; making it takes as long as two hits.
        self._unfiltered: tuple[int, Any] = (0, None)

    @property
    def size(self) -> int:
        """Vectors that were added, removed ones too."""
        return int(self.index.ntotal)

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, w] behind the others."""
        self.index.add(vectors)

    def remove(self, positions: NDArray[np.int64]) -> bool:  # noqa: ARG002 - none of them can
        """Does nothing: searches are told what is left."""
        return False

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds about the k nearest of the selection, or of all."""
        effort = self.effort
        if selection is not None:
            # What is left out is looked at all the same, and finds nothing; and what is kept lies
            # farther apart, so somewhat more has to be looked at for as much recall.
            wider = _WIDER * effort * selection.size / selection.count
            effort = min(int(wider) + 1, self.most_effort)
            parameters = self.parameters(effort, selection)
        else:
            made_for, parameters = self._unfiltered
            if made_for != effort:
                parameters = self.parameters(effort, None)
                self._unfiltered = (effort, parameters)
        values, positions = self.index.search(queries, k, params=parameters)
        closeness = np.asarray(values, np.float32)
        if self.similarity.metric in ("l2", "hamming"):
            closeness = -closeness
        closeness[positions < 0] = -np.inf
        return best_of(closeness, positions, k)

    def parameters(self, effort: int, selection: Selection | None) -> Any:
        """Returns what FAISS is told for one search."""
        raise NotImplementedError

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any] | None:  # noqa: ARG002
        """Returns nothing: the vectors are in the store."""
        return None

    def write(self, folder: Path) -> None:
        """Writes the structure into a folder, on the disk when this returns."""
        file = folder / _FILE
        write = faiss.write_index_binary if self.similarity.is_binary else faiss.write_index
        write(self.index, str(file))
        with file.open("rb") as written:
            os.fsync(written.fileno())


def read_faiss(folder: Path, similarity: Similarity) -> Any:
    """Reads what `Approximate.write` wrote."""
    read = faiss.read_index_binary if similarity.is_binary else faiss.read_index
    return read(str(folder / _FILE))


def faiss_metric(similarity: Similarity) -> int:
    """Returns the measure as FAISS names it."""
    is_l2 = similarity.metric == "l2"
    return int(faiss.METRIC_L2 if is_l2 else faiss.METRIC_INNER_PRODUCT)


def selector(selection: Selection | None) -> Any:
    """Returns a selection as FAISS takes it."""
    return None if selection is None else selection.selector()
