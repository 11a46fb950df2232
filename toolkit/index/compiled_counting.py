"""Counting in the scores of a block of queries with compiled loops."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.index import counting_loops
from toolkit.index.budget import Span, Workers
from toolkit.index.order_keys import NOTHING, pack
from toolkit.index.ranked_block import RankedBlock
from toolkit.index.scratch import Scratch
from toolkit.index.tiles import Lines


class CompiledCounter:
    """What is known of the rankings of a block's queries while tile after tile is shown to it.

    Args:
        k: how many of the first rows to keep.
        edges: float32 [e], scores at which to count, ascending.
        workers: take some of the queries each.
    """

    def __init__(self, k: int, edges: NDArray[np.float32], workers: Workers) -> None:
        self._k, self._workers = k, workers
        self._edges = pack(edges[::-1], np.zeros(len(edges), np.int64))
        self._adding_up = threading.Lock()
        self._scratch = Scratch()
        self.begin([])

    def begin(self, wanted: Sequence[NDArray[np.int64]]) -> None:
        """Begins a block: the relevant gallery rows of each of its queries, ascending."""
        sizes = np.fromiter((len(rows) for rows in wanted), np.int64, len(wanted))
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        total = int(self._starts[-1])
        self._rows = self._scratch.array("rows", (total,), np.int64)
        self._keys = self._scratch.array("keys", (total,), np.uint64)
        self._before = self._scratch.array("before", (total,), np.int64)
        if wanted:
            np.concatenate(wanted, out=self._rows)
        self._before[:] = 0
        self._found = np.zeros(len(wanted), np.int64)
        self._best = np.full((len(wanted), self._k), NOTHING)
        self._above = np.zeros((2, len(self._edges)), np.int64)
        self._num_ranked = 0

    def sweep(self, lines: Lines, tile: Span, *, finds: bool, counts: bool) -> None:
        """Looks relevant rows up in a tile, or counts in it, or one after the other."""

        def work(piece: Span) -> None:
            starts = self._starts[piece.start : piece.stop + 1]
            found = self._found[piece.start : piece.stop]
            these = lines[piece.start : piece.stop]
            if finds:
                counting_loops.find(these, tile.start, self._rows, starts, self._keys, found)
            if counts:
                self._count(these, tile, piece, starts, found)

        self._workers.share(len(self._found), work)

    def _count(
        self,
        lines: Lines,
        tile: Span,
        piece: Span,
        starts: NDArray[np.int64],
        found: NDArray[np.int64],
    ) -> None:
        if tile.start == 0:  # from here on all are found
            for start, size in zip(starts[:-1], found, strict=True):
                self._keys[start : start + size].sort()
        above = np.zeros_like(self._above)
        num_ranked = counting_loops.count(
            lines,
            tile.start,
            (self._keys, starts, found),
            self._edges,
            (self._before, above[0], above[1]),
            self._best[piece.start : piece.stop],
        )
        with self._adding_up:
            self._above += above
            self._num_ranked += num_ranked

    def result(self, start: int) -> RankedBlock:
        """Returns what was counted; `start` is the number of the first query."""
        ranks = np.empty(self._found.sum(), np.int64)
        counting_loops.rank(self._before, self._starts, self._found, ranks)
        above, relevant_above = self._above[:, ::-1]
        return RankedBlock.of(
            start=start,
            counts=self._found,
            ranks=ranks,
            best=self._best,
            above=above,
            relevant_above=relevant_above,
            num_ranked=self._num_ranked,
        )
