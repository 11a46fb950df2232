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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

_BITS = 26
_BLOCK = 4096
# Not 1: lengths are known to their last bits only, and all unit vectors have to be on one side.
# Its square is below 2, so that two vectors of this length in units of 2**26 stay below 2**53.
_STEP_AT = 1.3


@dataclass(frozen=True)
class FixedPoint:
    """A power of two that makes vectors so long that whole numbers describe them well.

    Attributes:
        scale: the factor.
        longest: length of the longest vector that it was chosen for.
    """

    scale: float
    longest: float

    @classmethod
    def of(cls, vectors: Vectors, name: str) -> "FixedPoint":
        """Chooses the scale for a matrix.

        Args:
            vectors: float32 [n, d].
            name: what the vectors are, for the message: "gallery".

        Raises:
            ValueError: a vector holds NaN or an infinite value.
        """
        longest = 0.0
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK].astype(np.float64)
            squares = np.einsum("nd,nd->n", block, block)
            bad = np.flatnonzero(~np.isfinite(squares))
            if len(bad):
                raise ValueError(f"The {name} vector in row {start + bad[0]} is not finite.")
            longest = max(longest, math.sqrt(float(squares.max())))
        exponent = math.frexp(longest / _STEP_AT)[1]
        return cls(2.0 ** (_BITS - exponent), longest)

    def round(self, vectors: Vectors) -> NDArray[np.float64]:
        """Returns the vectors as whole numbers."""
        whole = vectors * np.float64(self.scale)
        return np.rint(whole, out=whole)


def scores(
    queries: NDArray[np.float64], gallery: NDArray[np.float64], scale: float
) -> NDArray[np.float32]:
    """Multiplies rounded queries with rounded gallery vectors.

    Args:
        queries: whole numbers [b, d].
        gallery: whole numbers [n, d].
        scale: product of the scales of both.

    Returns:
        float32 [b, n], the exact inner products of the rounded vectors, rounded once.
    """
    product = queries @ gallery.T
    product /= scale
    return product.astype(np.float32)
