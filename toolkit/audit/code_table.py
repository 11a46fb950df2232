"""Finds codes that differ in few bits without comparing all pairs: one sorted table, many probes.

Two codes of one picture differ where a frequency is close to zero, so which bits may differ is
known beforehand: the eight least sure of the 27 lowest frequencies are tried both ways, and the
rest of the 27 has to be equal. A probe is a look-up in a sorted table, and what it finds is then
compared in all 64 bits.

Source: query-directed probing as in Lv, Josephson, Wang, Charikar, Li, "Multi-Probe LSH: Efficient
Indexing for High-Dimensional Similarity Search" (VLDB 2007), section 4.4, with one table.
"""

import numpy as np
from numpy.typing import NDArray

from toolkit.audit.window_codes import BITS, LOW, TURN_MASKS

_UNSURE = 8
# Of a division with more codes than this the rest is left out: so many pictures look the same there
# that the first of them stand for all, and the work stays linear.
_MOST_A_PROBE = 64
_LOW_BITS = np.bitwise_or.reduce(BITS[LOW])
# A multiplier that spreads 64 bits evenly over the upper 32 (Knuth, The Art of Computer
# Programming 3, 6.4: 2^64 divided by the golden ratio).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)
# The table is divided by the upper bits of its keys, about two codes a division.
_FEWEST_DIVISIONS, _MOST_DIVISIONS = 8, 23


class CodeTable:
    """Codes that can be searched.

    Args:
        codes: uint64 [m], m below 2^32; about 20 bytes of memory each.
    """

    def __init__(self, codes: NDArray[np.uint64]) -> None:
        self._codes = codes
        keys = _digest(codes)
        bits = min(max(len(codes).bit_length() - 1, _FEWEST_DIVISIONS), _MOST_DIVISIONS)
        self._shift = np.uint64(64 - bits)
        keys <<= _HALF
        keys |= np.arange(len(codes), dtype=np.uint64)
        keys.sort()
        self._sorted = keys
        sizes = np.bincount((keys >> self._shift).astype(np.int64), minlength=1 << bits)
        self._ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)

    def within(
        self, frequencies: NDArray[np.float32], codes: NDArray[np.uint64], radius: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Finds codes like those of some pictures, however these are turned.

        Args:
            frequencies: of the pictures, float32 [n, 8, 8]; they say which bits are unsure.
            codes: of the pictures, uint64 [n].
            radius: how many bits may differ, 0 to 63.

        Returns:
            Number of the picture, number of the code in the table, turn (of `TURNS`) and number of
            different bits, each int64 [pairs]; a pair may occur several times with other turns.
        """
        turned = (codes[:, None] ^ TURN_MASKS).ravel()  # [n * 4]
        probes = turned.reshape(len(codes), len(TURN_MASKS), 1) ^ _toggles(frequencies)[:, None, :]
        rows, columns = self._look_up(_digest(probes.reshape(len(turned), 1 << _UNSURE)))
        bits = different_bits(turned[rows], self._codes[columns])
        close = bits <= radius
        pictures, turns = np.divmod(rows[close], len(TURN_MASKS))
        return pictures, columns[close], turns, bits[close]

    def _look_up(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the row of keys [r, p] and the number of the code of each hit."""
        # Sorted, so that one look-up after the other touches neighbouring memory; the number of a
        # key stands in its lower half.
        probes = (keys.ravel() << _HALF) | np.arange(keys.size, dtype=np.uint64)
        probes.sort()
        division = (probes >> self._shift).astype(np.int64)
        first = self._ends[division].astype(np.int64)
        counts = np.minimum(self._ends[division + 1] - first, _MOST_A_PROBE)
        which = np.repeat(np.arange(len(probes)), counts)
        # Position inside each division: a running number minus where the division begins.
        inside = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = self._sorted[np.repeat(first, counts) + inside]
        probes = probes[which]
        same = (entries ^ probes) <= _LOWER  # equal upper halves
        rows = (probes[same] & _LOWER).astype(np.int64) // keys.shape[1]
        return rows, (entries[same] & _LOWER).astype(np.int64)


def different_bits(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Counts the different bits of two arrays of codes, element by element."""
    octets = np.ascontiguousarray(left ^ right).view(np.uint8).reshape(-1, 8)
    ones: NDArray[np.int64] = _ONES[octets].sum(axis=1)
    return ones


_ONES = np.array([value.bit_count() for value in range(256)], dtype=np.int64)


def _digest(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns 32 bits, in 64, that are equal where the 27 low bits are."""
    keys: NDArray[np.uint64] = ((codes & _LOW_BITS) * _SPREAD) >> _HALF
    return keys


def _toggles(frequencies: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Returns all combinations of the least sure bits of each picture, uint64 [n, 2^8]."""
    sizes = np.abs(frequencies.reshape(len(frequencies), LOW.size)[:, LOW])
    unsure = BITS[LOW][np.argpartition(sizes, _UNSURE, axis=1)[:, :_UNSURE]]  # [n, 8]
    toggles = np.zeros((len(frequencies), 1), dtype=np.uint64)
    for bit in unsure.T:
        toggles = np.concatenate([toggles, toggles ^ bit[:, None]], axis=1)
    return toggles


def cheapest_of_each_pair(
    first: NDArray[np.int64], second: NDArray[np.int64], cost: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns the position of the cheapest entry of each pair, whichever comes first in it."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((first, cost, high, low))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    positions: NDArray[np.int64] = order[fresh]
    return positions
