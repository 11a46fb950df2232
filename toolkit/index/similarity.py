"""What near means: the four measures, and how their numbers become scores and distances."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError, nearest
from toolkit.index.interface import Closeness

METRICS = ("cosine", "inner_product", "l2", "hamming")
_ALIASES = {"ip": "inner_product", "euclidean": "l2"}
# Rows that are made ready at a time: their copies in double precision stay small.
_ROWS_AT_ONCE = 4096
_BITS_SET = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.int64)


@dataclass(frozen=True)
class Similarity:
    """One measure for vectors of one length.

    Attributes:
        metric: one of `METRICS`.
        dimension: numbers a vector, or bits under hamming.
    """

    metric: str
    dimension: int

    @classmethod
    def named(cls, metric: str, dimension: int) -> "Similarity":
        """Returns the measure of that name, in any spelling that is usual.

        Raises:
            VectorIndexError: there is no such measure, or it does not go with the dimension.
        """
        name = _ALIASES.get(metric.lower(), metric.lower())
        if name not in METRICS:
            raise VectorIndexError(
                f"Unknown metric {metric!r}. Known: {', '.join(METRICS)}.{nearest(metric, METRICS)}"
            )
        if dimension < 1 or (name == "hamming" and dimension % 8):
            raise VectorIndexError(
                f"The dimension is {dimension}; it must be at least 1, and a multiple of 8 for "
                "hamming, which counts bits."
            )
        return cls(name, dimension)

    @property
    def is_binary(self) -> bool:
        """Whether vectors are packed bits."""
        return self.metric == "hamming"

    @property
    def width(self) -> int:
        """Columns of an array of vectors."""
        return self.dimension // 8 if self.is_binary else self.dimension

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of vectors in memory and on disk."""
        return np.dtype(np.uint8 if self.is_binary else "<f4")

    @property
    def bytes_per_vector(self) -> int:
        """Bytes that a vector takes."""
        return self.width * self.dtype.itemsize

    def prepare(self, vectors: Any, what: str) -> NDArray[Any]:
        """Checks vectors, and brings them to the form that is kept: length 1 under cosine.

        Args:
            vectors: float [n, d], or uint8 [n, d / 8].
            what: what they are, for messages: "query".

        Raises:
            VectorIndexError: another shape or type, a number that is not finite, or a vector of
                length 0 under cosine.
        """
        given = np.asarray(vectors)
        if given.ndim != 2 or given.shape[1] != self.width:
            raise VectorIndexError(
                f"The {what} vectors have the shape {list(given.shape)}; this index holds "
                f"[n, {self.width}] ({self._said()}). Another dimension is another model: use the "
                "one that the index was built with, or build an index anew."
            )
        if self.is_binary:
            if given.dtype != np.uint8:
                raise VectorIndexError(
                    f"The {what} vectors are {given.dtype}; hamming takes uint8, eight bits each."
                )
            return np.ascontiguousarray(given)
        if given.dtype.kind not in "fiu":
            raise VectorIndexError(f"The {what} vectors are {given.dtype}, not numbers.")
        ready = np.empty(given.shape, np.float32)
        for start in range(0, len(given), _ROWS_AT_ONCE):
            piece = slice(start, start + _ROWS_AT_ONCE)
            self._write_floats(given[piece], ready[piece], what, start)
        return ready

    def _write_floats(
        self, given: NDArray[Any], ready: NDArray[np.float32], what: str, start: int
    ) -> None:
        values = given.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
        # A length beyond this has products that float32 cannot hold.
        good = lengths < 1e18
        if self.metric == "cosine":
            good &= lengths > 0
        if not good.all():
            row = int(np.argmin(good))
            raise VectorIndexError(
                f"The {what} vector number {start + row} has the length {lengths[row]:g}; every "
                "number must be finite, and under cosine one must not be 0."
            )
        scale = lengths[:, None] if self.metric == "cosine" else 1.0
        np.divide(values, scale, out=ready, casting="same_kind")

    def closeness(self, queries: NDArray[Any], vectors: NDArray[Any]) -> Closeness:
        """Compares each query with vectors of its own.

        Args:
            queries: prepared [q, w].
            vectors: prepared [q, k, w].

        Returns:
            float32 [q, k].
        """
        if self.is_binary:
            different = _BITS_SET[queries[:, None] ^ vectors].sum(2).astype(np.float32)
            return np.asarray(-different, np.float32)
        if self.metric == "l2":
            apart = queries[:, None] - vectors
            squares: Closeness = np.einsum("qkd,qkd->qk", apart, apart)
            return -squares
        products: Closeness = np.einsum("qd,qkd->qk", queries, vectors)
        return products

    def told(self, closeness: Closeness) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns what `Hit.score` and `Hit.distance` say, from closeness."""
        values = closeness.astype(np.float64)
        if self.metric == "cosine":
            cosines = np.clip(values, -1, 1)
            return cosines, 1 - cosines
        if self.metric == "l2":
            distances = np.sqrt(np.maximum(-values, 0))
            return 1 / (1 + distances), distances
        if self.metric == "hamming":
            return 1 + values / self.dimension, -values
        return values, -values

    def _said(self) -> str:
        return f"{self.dimension} {'bits' if self.is_binary else 'numbers'}, {self.metric}"
