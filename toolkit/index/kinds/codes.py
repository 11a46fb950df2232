"""Codes that are compared one by one: a byte or a bit for each number of a vector."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.approximate import Approximate, faiss_metric
from toolkit.index.kinds.binary import FlatBits
from toolkit.index.kinds.selection import Selection, restricted_to
from toolkit.index.similarity import Similarity


class Sq8(Approximate):
    """A byte for each number, between its least and its largest in the sample."""

    exact_scores: ClassVar[bool] = False

    @classmethod
    def trained(
        cls, similarity: Similarity, sample: NDArray[Any], options: Mapping[str, int]
    ) -> "Sq8":
        """Returns an empty structure; `options` are none."""
        del options
        kind, metric = faiss.ScalarQuantizer.QT_8bit, faiss_metric(similarity)
        index = faiss.IndexScalarQuantizer(similarity.dimension, kind, metric)
        index.train(sample)
        return cls(similarity, index, candidates=2)

    def parameters(self, effort: int, selection: Selection | None) -> Any:
        """Returns what FAISS is told for one search."""
        del effort
        return None if selection is None else restricted_to(selection)


class SignBits(Approximate):
    """A bit for each number: whether it is above the mean of the sample.

    Args:
        similarity: of the index.
        mean: float32 [d].
        bits: the codes, one structure of its own.
        candidates: so many times k are compared with their vectors.
    """

    exact_scores: ClassVar[bool] = False

    def __init__(
        self,
        similarity: Similarity,
        mean: NDArray[np.float32],
        bits: FlatBits,
        *,
        candidates: int = 32,
    ) -> None:
        super().__init__(similarity, bits.index, candidates=candidates)
        self._mean, self._bits = mean, bits

    @classmethod
    def trained(
        cls, similarity: Similarity, sample: NDArray[Any], options: Mapping[str, int]
    ) -> "SignBits":
        """Returns an empty structure; `options` are none."""
        del options
        return cls(
            similarity, sample.mean(0, dtype=np.float64).astype(np.float32), _bits_of(similarity)
        )

    @classmethod
    def read(cls, similarity: Similarity, folder: Path) -> "SignBits":
        """Reads what `write` wrote."""
        bits = _bits_of(similarity)
        bits.index = faiss.read_index_binary(str(folder / "bits.faiss"))
        return cls(similarity, np.load(folder / "mean.npy", allow_pickle=False), bits)

    def _codes(self, vectors: NDArray[Any]) -> NDArray[np.uint8]:
        return np.packbits(vectors > self._mean, axis=1)

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, d] behind the others."""
        self._bits.add(self._codes(vectors))

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds the k whose codes are nearest."""
        return self._bits.search(self._codes(queries), k, selection)

    def write(self, folder: Path) -> None:
        """Writes the structure into a folder, on the disk when this returns."""
        faiss.write_index_binary(self._bits.index, str(folder / "bits.faiss"))
        np.save(folder / "mean.npy", self._mean, allow_pickle=False)
        for name in ("bits.faiss", "mean.npy"):
            with (folder / name).open("rb") as written:
                os.fsync(written.fileno())


def _bits_of(similarity: Similarity) -> FlatBits:
    return FlatBits(Similarity("hamming", -(-similarity.dimension // 8) * 8))
