"""The ranking of a gallery for a block of queries: sort the scores of a tile, count in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.index.budget import Span, Workers
from toolkit.index.order_keys import NOTHING, Keys, pack, rows_of, scores_of
from toolkit.index.row_sets import RowSets
from toolkit.index.tiles import Lines, Scorer


@dataclass(frozen=True)
class RankedBlock:
    """What one pass over the gallery says about a few consecutive queries.

    Attributes:
        start: number of the first query.
        counts: int64 [b], relevant rows of each query that were not left out.
        ranks: int64 [counts.sum()], their 1-based ranks, query after query, ascending in each.
        top_rows: int64 [b, k], the first k gallery rows; -1 where the gallery has no more.
        top_scores: float32 [b, k], their scores; -inf where the gallery has no more.
        above: int64 [e], how many pairs of these queries score above each of the edges.
        relevant_above: int64 [e], how many of those are relevant.
        num_ranked: how many pairs were ranked, that is not left out.
    """

    start: int
    counts: NDArray[np.int64]
    ranks: NDArray[np.int64]
    top_rows: NDArray[np.int64]
    top_scores: NDArray[np.float32]
    above: NDArray[np.int64]
    relevant_above: NDArray[np.int64]
    num_ranked: int


@dataclass(frozen=True)
class BlockRanking:
    """One gallery and what is asked about every block of queries.

    Attributes:
        scorer: gives the scores.
        tiles: the gallery's rows, cut up.
        wanted: rows whose ranks are asked for.
        k: how many of the first rows to return.
        edges: float32 [e], scores at which to count pairs.
        workers: rank some of the queries each.
    """

    scorer: Scorer
    tiles: list[Span]
    wanted: RowSets
    k: int
    edges: NDArray[np.float32]
    workers: Workers

    def rank(self, block: Span) -> RankedBlock:
        """Ranks the gallery for the queries of a block."""
        sets = [self.wanted.of(query) for query in range(block.start, block.stop)]
        queries = [_QueryRanking(rows, self.k, self.edges) for rows in sets]
        for finds, counts in self._sweeps(block):
            for tile in self.tiles:
                lines = self.scorer.lines(block, tile)
                self._sweep(queries, tile, lines, finds=finds, counts=counts)
        best = np.stack([query.best for query in queries])
        top_scores = scores_of(best)
        return RankedBlock(
            start=block.start,
            counts=np.array([len(query.marks) for query in queries], np.int64),
            ranks=np.concatenate([query.before for query in queries]) + 1,
            top_rows=np.where(np.isneginf(top_scores), -1, rows_of(best)),
            top_scores=top_scores,
            above=np.sum([query.above for query in queries], axis=0),
            relevant_above=np.sum([query.relevant_above() for query in queries], axis=0),
            num_ranked=sum(query.num_ranked for query in queries),
        )

    def _sweeps(self, block: Span) -> list[tuple[bool, bool]]:
        """Chooses in which sweep over all tiles marks are found, and in which rows are counted.

        Nothing can be counted before all marks are found, so a gallery of several tiles is scored
        twice: that is the price of holding a single tile.
        """
        if not self.wanted.counts[block.start : block.stop].any():
            return [(False, True)]
        return [(True, True)] if len(self.tiles) == 1 else [(True, False), (False, True)]

    def _sweep(
        self,
        queries: Sequence["_QueryRanking"],
        tile: Span,
        lines: Lines,
        *,
        finds: bool,
        counts: bool,
    ) -> None:
        def work(piece: Span) -> None:
            ordered = np.empty(len(tile), np.float32)  # once: new pages cost as much as the sort
            for place in range(piece.start, piece.stop):
                query, line = queries[place], lines[place]
                if finds:
                    query.find(line, tile)
                if counts:
                    ordered[:] = line
                    ordered.sort()
                    query.count(line, ordered, tile)

        self.workers.share(len(queries), work)


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
