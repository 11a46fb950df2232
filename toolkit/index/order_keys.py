"""One unsigned 64-bit key for (score, gallery row) whose plain order is the ranking's order.

    32 bits score, the highest first | 32 bits gallery row

Sorting such keys sorts by score descending, then by row ascending, with no ties left. The 32 bits
are those of the float itself, so nothing is rounded.
"""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

# No row: a score of -inf, and behind every row that has one.
NOTHING = np.uint64(0xFF800000FFFFFFFF)

_POSITIVE = np.int32((1 << 31) - 1)
_HALF = np.uint64(32)
_LOW_HALF = np.uint64((1 << 32) - 1)


def pack(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Keys:
    """Builds the keys of pairs; -inf stands behind every finite score.

    Args:
        scores: float32 [n], not NaN.
        rows: int64 [n], from 0 to 2**32 - 1.
    """
    # -0.0 becomes 0.0: they are equal as scores and have to be equal as keys.
    keys = _turned((scores + np.float32(0)).view(np.int32)).view(np.uint32).astype(np.uint64)
    keys <<= _HALF
    keys |= rows.astype(np.uint64)
    return keys


def scores_of(keys: Keys) -> NDArray[np.float32]:
    """Returns the scores of keys."""
    return _turned((keys >> _HALF).astype(np.uint32).view(np.int32)).view(np.float32)


def rows_of(keys: Keys) -> NDArray[np.int64]:
    """Returns the gallery rows of keys."""
    return (keys & _LOW_HALF).astype(np.int64)


def _turned(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turns the order of non-negative floats round; its own inverse.

    As unsigned integers the bits of a negative float rise as it falls, which is wanted; those of a
    positive one rise with it, and stand before all negative ones.
    """
    return bits ^ (~(bits >> 31) & _POSITIVE)
