"""All pairs of 64-bit codes that differ in few bits, without comparing all pairs.

Source: Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR
2012), propositions 1 and 2. The code is cut into m substrings. Let r = m * r' + a with 0 <= a < m.
Two codes within r differ by at most r' bits in one of the first a + 1 substrings, or by at most
r' - 1 bits in one of the others: otherwise they differed by at least
(a + 1)(r' + 1) + (m - a - 1) r' = r + 1 bits. So looking up each substring, and its neighbours
within r' or r' - 1 bits, in a sorted table of the other codes' substrings finds every pair.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

_NUM_PARTS = 4
_PART_BITS = 16
# Candidate pairs that are expanded at once: 32 MB of codes.
_BLOCK_PAIRS = 1 << 21

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


class HammingIndex:
    """Codes that can be searched.

    Args:
        codes: uint64 [m].
    """

    def __init__(self, codes: NDArray[np.uint64]) -> None:
        self._codes = codes
        parts = [_substring(codes, part) for part in range(_NUM_PARTS)]
        self._orders = [np.argsort(part, kind="stable") for part in parts]
        self._tables = [part[order] for part, order in zip(parts, self._orders, strict=True)]

    def within(
        self, queries: NDArray[np.uint64], radius: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Finds all pairs of a query i and a code j with at most `radius` different bits.

        Args:
            queries: uint64 [n].
            radius: 0 to 64; the work grows steeply with it, and 16 is a lot.

        Returns:
            i, j and the number of different bits, each int64 [pairs], sorted by i and then j.
        """
        found = [
            self._close(queries, *pairs, radius) for pairs in self._candidates(queries, radius)
        ]
        keys = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
        rows, columns = np.divmod(keys, max(1, len(self._codes)))
        return rows, columns, different_bits(queries[rows], self._codes[columns])

    def _close(
        self,
        queries: NDArray[np.uint64],
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        radius: int,
    ) -> NDArray[np.int64]:
        """Keeps the candidates within the radius, each pair as the one number i * m + j."""
        kept = different_bits(queries[rows], self._codes[columns]) <= radius
        pairs: NDArray[np.int64] = rows[kept] * len(self._codes) + columns[kept]
        return np.unique(pairs)

    def _candidates(self, queries: NDArray[np.uint64], radius: int) -> Iterator[_Pairs]:
        share, rest = divmod(radius, _NUM_PARTS)
        for part, (table, order) in enumerate(zip(self._tables, self._orders, strict=True)):
            substrings = _substring(queries, part)
            for mask in _masks(share if part <= rest else share - 1):
                probe = substrings ^ mask
                first = np.searchsorted(table, probe, side="left")
                counts = np.searchsorted(table, probe, side="right") - first
                yield from _expand(first, counts, order)


def different_bits(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Counts the different bits of two arrays of codes, element by element."""
    octets = (left ^ right).astype("<u8").view(np.uint8).reshape(-1, 8)
    ones: NDArray[np.int64] = _ONES[octets].sum(axis=1)
    return ones


_ONES = np.array([value.bit_count() for value in range(256)], dtype=np.int64)


def _substring(codes: NDArray[np.uint64], part: int) -> NDArray[np.uint64]:
    return (codes >> np.uint64(part * _PART_BITS)) & np.uint64((1 << _PART_BITS) - 1)


def _masks(reach: int) -> Iterator[np.uint64]:
    """Yields every 16-bit number with at most `reach` ones."""
    for ones in range(reach + 1):
        for bits in combinations(range(_PART_BITS), ones):
            yield np.uint64(sum(1 << bit for bit in bits))


def _expand(
    first: NDArray[np.int64], counts: NDArray[np.int64], order: NDArray[np.int64]
) -> Iterator[_Pairs]:
    """Turns ranges of the sorted table into pairs, a bounded number at a time."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _BLOCK_PAIRS, side="right")))
        part = counts[start:stop]
        rows = np.repeat(np.arange(start, stop), part)
        # Position inside each range: a running number minus where the range begins.
        inside = np.arange(len(rows)) - np.repeat(np.cumsum(part) - part, part)
        yield rows, order[np.repeat(first[start:stop], part) + inside]
        start = stop
