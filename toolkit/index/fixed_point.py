"""Inner products that are the same number on every machine, for every tile and every order.

A float32 matrix product depends in its last bits on the BLAS, its threads, and the place of a row
in the matrix: two equal gallery vectors may get different scores, and which of them comes first
is then an accident. So vectors are rounded to whole numbers, of a length up to 1.3 * 2**26, and
multiplied in float64: by Cauchy and Schwarz every partial sum of the products of two rows stays
below 2**53, where float64 holds whole numbers exactly, in whatever order they are added.

The rounding moves the scores of unit vectors by 6e-9 (root mean square; a float32 product moves
them by two to ten times that), those of others by that times the lengths of the longest query and
the longest gallery vector, before the sum is rounded to float32.
Vectors of whole numbers are not moved.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

_BITS = 26
# Few enough that what is computed between two steps stays in a core's cache.
_ROWS_AT_ONCE = 128
# Not 1: lengths are known to their last bits only, and all unit vectors have to be on one side.
# Its square is below 2, so that two vectors of this length in units of 2**26 stay below 2**53.
_STEP_AT = 1.3


@dataclass(frozen=True)
class WholeRows:
    """Vectors that are read as rows of whole numbers; nothing of their size is held beside them.

    Attributes:
        vectors: float32 [n, d], as the caller has them.
        scale: length of the row of whole numbers of a vector of length 1; a power of two.
        longest: length of the longest vector.
        lengths: float64 [n, 1], by which vectors are divided first; None when they are not.
    """

    vectors: Vectors
    scale: float
    longest: float
    lengths: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, vectors: Vectors, name: str) -> "WholeRows":
        """Reads vectors as they are, for inner products.

        Args:
            vectors: float32 [n, d].
            name: what the vectors are, for messages: "gallery".

        Raises:
            ValueError: not a matrix, or a vector holds NaN or an infinite value.
        """
        vectors = _matrix(vectors, name)
        longest = float(_lengths(vectors, name).max(initial=0))
        return cls(vectors, 2.0 ** (_BITS - math.frexp(longest / _STEP_AT)[1]), longest)

    @classmethod
    def of_directions(cls, vectors: Vectors, name: str) -> "WholeRows":
        """Reads vectors as `unit_rows` makes them, for cosines.

        Args:
            vectors: float32 [n, d].
            name: what the vectors are, for messages: "gallery".

        Raises:
            ValueError: not a matrix, or a vector holds NaN or an infinite value.
        """
        vectors = _matrix(vectors, name)
        return cls(vectors, 2.0**_BITS, 1.0, _divisors(_lengths(vectors, name)))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def rounded(self, start: int, stop: int, out: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns rows `start` to `stop` - 1 as whole numbers.

        Args:
            start: first row.
            stop: one past the last row.
            out: float64 [stop - start, d], to write into.
        """
        if self.lengths is None:
            np.multiply(self.vectors[start:stop], np.float64(self.scale), out=out)
        else:
            for first in range(start, stop, _ROWS_AT_ONCE):
                rows = slice(first, min(first + _ROWS_AT_ONCE, stop))
                unit = _divided(self.vectors[rows], self.lengths[rows])
                np.multiply(
                    unit, np.float64(self.scale), out=out[rows.start - start : rows.stop - start]
                )
        return np.rint(out, out=out)


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Scales each row to length 1, so that the inner product is the cosine; zero rows stay zero.

    Args:
        vectors: [n, d].

    Returns:
        float32 [n, d].
    """
    unit = np.empty(vectors.shape, np.float32)
    for rows, block in _float64_blocks(vectors):
        unit[rows] = _divided(block, _divisors(_norms(block)))
    return unit


def _matrix(vectors: Vectors, name: str) -> Vectors:
    if vectors.ndim != 2:
        raise ValueError(f"The {name} vectors must be [n, d], not {list(vectors.shape)}.")
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _lengths(vectors: Vectors, name: str) -> NDArray[np.float64]:
    lengths = np.empty(len(vectors))
    for rows, block in _float64_blocks(vectors):
        lengths[rows] = _norms(block)
    bad = np.flatnonzero(~np.isfinite(lengths))
    if len(bad):
        raise ValueError(f"The {name} vector in row {bad[0]} is not finite.")
    return lengths


def _norms(block: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(block, axis=1), dtype=np.float64)


def _divisors(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns lengths as a column, with 1 for a zero vector."""
    return np.where(lengths > 0, lengths, 1)[:, None]


def _divided(vectors: NDArray[np.floating], divisors: NDArray[np.float64]) -> Vectors:
    return np.asarray(vectors / divisors, dtype=np.float32)


def _float64_blocks(
    vectors: NDArray[np.floating],
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Gives a few rows at a time in float64, in which the squares of float32 cannot overflow."""
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        yield rows, vectors[rows].astype(np.float64)
