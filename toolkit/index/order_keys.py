"""One unsigned 64-bit key for (query, score, gallery row) whose plain order is the ranking's order.

    8 bits query within its block | 32 bits score, the highest first | 24 bits row within its tile

Sorting such keys sorts by score descending, then by row ascending, with no ties left; and sorted
lines of a block laid end to end are one sorted array, so a single binary search counts for all
queries at once. The 32 bits are those of the float itself, so nothing is rounded.
"""

import numpy as np
from numpy.typing import NDArray

QUERY_BITS, SCORE_BITS, ROW_BITS = 8, 32, 24

Keys = NDArray[np.uint64]

_POSITIVE = np.int32((1 << 31) - 1)
_ROW_SHIFT = np.uint64(ROW_BITS)
_QUERY_SHIFT = np.uint64(ROW_BITS + SCORE_BITS)
_SCORE_MASK = np.uint64((1 << SCORE_BITS) - 1)
MAX_ROW = (1 << ROW_BITS) - 1
_ROW_MASK = np.uint64(MAX_ROW)
# Behind every finite score (it would read as a NaN).
_LEFT_OUT = np.uint64((1 << (SCORE_BITS + ROW_BITS)) - 1)


def score_bits(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Maps finite floats to integers so that a higher score has a lower integer.

    The bits of a negative float already rise as it falls; those of a positive one are turned
    round. -0.0 becomes 0.0 first: they are equal as scores and have to be equal as keys.
    """
    bits = (scores + np.float32(0)).view(np.int32)
    turn = ~(bits >> 31) & _POSITIVE
    return (bits ^ turn).view(np.uint32)


def bits_to_scores(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Undoes `score_bits`."""
    signed = bits.view(np.int32)
    turn = ~(signed >> 31) & _POSITIVE
    return (signed ^ turn).view(np.float32)


def pack(bits: NDArray[np.uint32], query: NDArray[np.int64], row: NDArray[np.int64]) -> Keys:
    """Builds keys of the shape of `bits`; `query` and `row` may be of any shape that fits it.

    Args:
        bits: from `score_bits`.
        query: number within the block, below 256.
        row: number within the tile, up to MAX_ROW.
    """
    keys = bits.astype(np.uint64)
    keys <<= _ROW_SHIFT
    keys |= row.astype(np.uint64)
    keys |= query.astype(np.uint64) << _QUERY_SHIFT
    return keys


def bits_of(keys: Keys) -> NDArray[np.uint32]:
    """Returns the score bits of keys."""
    return ((keys >> _ROW_SHIFT) & _SCORE_MASK).astype(np.uint32)


def rows_of(keys: Keys) -> NDArray[np.int64]:
    """Returns the rows within the tile of keys."""
    return (keys & _ROW_MASK).astype(np.int64)


def left_out_keys(query: NDArray[np.int64]) -> Keys:
    """Returns the key, last in a query's line, that stands for any row it must not see."""
    return (query.astype(np.uint64) << _QUERY_SHIFT) | _LEFT_OUT


def is_left_out(keys: Keys) -> NDArray[np.bool_]:
    """Tells which keys stand for rows that are left out."""
    left_out: NDArray[np.bool_] = (keys & _LEFT_OUT) == _LEFT_OUT
    return left_out
