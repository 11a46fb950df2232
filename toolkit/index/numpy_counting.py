"""Counting in the scores of a block of queries with numpy: sort a line, and search in it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.index.budget import Span, Workers
from toolkit.index.order_keys import NOTHING, Keys, pack, rows_of, scores_of
from toolkit.index.ranked_block import RankedBlock
from toolkit.index.tiles import Lines


class NumpyCounter:
    """What is known of the rankings of a block's queries while tile after tile is shown to it.

    Args:
        k: how many of the first rows to keep.
        edges: float32 [e], scores at which to count.
        workers: take some of the queries each.
    """

    def __init__(self, k: int, edges: NDArray[np.float32], workers: Workers) -> None:
        self._k, self._edges, self._workers = k, edges, workers
        self._queries: list[_QueryRanking] = []

    def begin(self, wanted: Sequence[NDArray[np.int64]]) -> None:
        """Begins a block: the relevant gallery rows of each of its queries, ascending."""
        self._queries = [_QueryRanking(rows, self._k, self._edges) for rows in wanted]

    def sweep(self, lines: Lines, tile: Span, *, finds: bool, counts: bool) -> None:
        """Looks relevant rows up in a tile, or counts in it, or one after the other."""

        def work(piece: Span) -> None:
            ordered = np.empty(len(tile), np.float32)  # once: new pages cost as much as the sort
            for place in range(piece.start, piece.stop):
                query, line = self._queries[place], lines[place]
                if finds:
                    query.find(line, tile)
                if counts:
                    ordered[:] = line
                    ordered.sort()
                    query.count(line, ordered, tile)

        self._workers.share(len(self._queries), work)

    def result(self, start: int) -> RankedBlock:
        """Returns what was counted; `start` is the number of the first query."""
        queries = self._queries
        return RankedBlock.of(
            start=start,
            counts=np.array([len(query.marks) for query in queries], np.int64),
            ranks=np.concatenate([query.before for query in queries]) + 1,
            best=np.stack([query.best for query in queries]),
            above=np.sum([query.above for query in queries], axis=0),
            relevant_above=np.sum([query.relevant_above() for query in queries], axis=0),
            num_ranked=sum(query.num_ranked for query in queries),
        )


class _QueryRanking:
    """What is known of one query's ranking while tile after tile is shown to it.

    Args:
        wanted: the query's relevant gallery rows, ascending.
        k: how many of the first rows to keep.
        edges: float32 [e], scores at which to count.

    Attributes:
        marks: keys of the relevant rows that were found, in the ranking's order.
        scores: float32 [marks], their scores.
        before: int64 [marks], how many rows stand before each.
        above: int64 [e], how many rows score above each edge.
        best: keys of the first k rows, NOTHING where there are no more.
        num_ranked: rows that were not left out.
    """

    def __init__(self, wanted: NDArray[np.int64], k: int, edges: NDArray[np.float32]) -> None:
        self._wanted, self._edges = wanted, edges
        self.marks: Keys = np.empty(0, np.uint64)
        self.scores: Lines = np.empty(0, np.float32)
        self.before = np.empty(0, np.int64)
        self.above = np.zeros(len(edges), np.int64)
        self.best: Keys = np.full(k, NOTHING)
        self.num_ranked = 0

    def find(self, line: Lines, tile: Span) -> None:
        """Looks the scores of relevant rows up, those of them that are in this tile.

        Args:
            line: float32 [tile], the query's scores, -inf for a row that is left out.
            tile: which gallery rows these are.
        """
        first, stop = self._wanted.searchsorted([tile.start, tile.stop])
        here = self._wanted[first:stop]
        scores = line[here - tile.start]
        ranked = scores > -np.inf
        if not ranked.all():
            here, scores = here[ranked], scores[ranked]
        self.marks = np.concatenate([self.marks, pack(scores, here)])
        self.marks.sort()
        self.scores = scores_of(self.marks)
        self.before = np.zeros(len(self.marks), np.int64)

    def count(self, line: Lines, ordered: Lines, tile: Span) -> None:
        """Counts what stands before the relevant rows and above the edges, and keeps the best.

        Args:
            line: float32 [tile], the query's scores, -inf for a row that is left out.
            ordered: the same, ascending.
            tile: which gallery rows these are.
        """
        self.num_ranked += len(line) - int(ordered.searchsorted(-np.inf, side="right"))
        self.above += len(line) - ordered.searchsorted(self._edges, side="right")
        if len(self.marks):
            self.before += self._count_before(line, ordered, tile)
        k = min(len(self.best), len(line))
        if k:
            new = np.flatnonzero(line >= ordered[-k])
            keys = np.concatenate([self.best, pack(line[new], new + tile.start)])
            keys.sort()
            self.best = keys[: len(self.best)]

    def relevant_above(self) -> NDArray[np.int64]:
        """Counts the relevant rows that score above each edge."""
        above = len(self.scores) - self.scores[::-1].searchsorted(self._edges, side="right")
        return np.asarray(above, dtype=np.int64)

    def _count_before(self, line: Lines, ordered: Lines, tile: Span) -> NDArray[np.int64]:
        """Counts the rows of a tile that stand before each mark.

        Args:
            line: float32 [tile], scores.
            ordered: the same, ascending.
            tile: which gallery rows these are.
        """
        # Ascending, so that one search begins where the one before ended.
        not_above = ordered.searchsorted(self.scores[::-1], side="right")[::-1]
        before: NDArray[np.int64] = len(line) - not_above
        rows = rows_of(self.marks)
        itself = (rows >= tile.start) & (rows < tile.stop)
        # Where there is no other score as high, this finds a lower one, or wraps to the highest.
        tied = np.flatnonzero(ordered[not_above - 1 - itself] == self.scores)
        if len(tied):
            # Equal scores go by row. Marks are in order: the first tied one is the highest.
            highest, lowest = self.scores[tied[0]], self.scores[tied[-1]]
            near = np.flatnonzero((line >= lowest) & (line <= highest))
            keys = pack(line[near], near + tile.start)
            keys.sort()
            before[tied] = before[tied[0]] + keys.searchsorted(self.marks[tied])
        return before
