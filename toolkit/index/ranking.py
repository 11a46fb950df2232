"""The ranking of a gallery for one block of queries: sort the keys of a tile, count in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.index import order_keys
from toolkit.index.fixed_point import Vectors
from toolkit.index.order_keys import Keys
from toolkit.index.tiles import Gallery, Pairs, Tile

_NOTHING = np.uint64(np.iinfo(np.uint64).max)
_HALF = np.uint64(32)
_LOW_HALF = np.uint64((1 << 32) - 1)


@dataclass(frozen=True)
class RankedBlock:
    """What one pass over the gallery says about a few consecutive queries.

    Attributes:
        start: number of the first query.
        counts: int64 [b], relevant rows of each query that were not left out.
        ranks: int64 [counts.sum()], their 1-based ranks, query after query, ascending in each.
        scores: float32 [counts.sum()], their scores, in the same order.
        top_rows: int64 [b, k], the first k gallery rows; -1 where the gallery has no more.
        top_scores: float32 [b, k], their scores; -inf where the gallery has no more.
        above: int64 [e], how many pairs of these queries score above each of the edges.
        num_ranked: how many pairs were ranked, that is not left out.
    """

    start: int
    counts: NDArray[np.int64]
    ranks: NDArray[np.int64]
    scores: NDArray[np.float32]
    top_rows: NDArray[np.int64]
    top_scores: NDArray[np.float32]
    above: NDArray[np.int64]
    num_ranked: int


@dataclass(frozen=True)
class _Relevant:
    """Pairs of a query of the block and a gallery row, with the bits of their score."""

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    bits: NDArray[np.uint32]


@dataclass(frozen=True)
class BlockRanking:
    """One gallery and what is asked about every block of queries.

    Attributes:
        gallery: the vectors.
        tiles: the gallery's rows, cut up.
        k: how many of the first rows to return.
        edge_bits: bits of the scores at which to count pairs.
    """

    gallery: Gallery
    tiles: list[Tile]
    k: int
    edge_bits: NDArray[np.uint32]

    def rank(
        self, start: int, queries: Vectors, wanted: Pairs, left_out: Sequence[Pairs]
    ) -> RankedBlock:
        """Ranks the gallery for the queries of a block.

        Args:
            start: number of the block's first query.
            queries: float32 [b, d], at most 256.
            wanted: pairs (query within the block, relevant gallery row), ordered by query.
            left_out: pairs to keep out of the ranking.
        """
        size = len(queries)
        first, second = self._sweeps(queries, left_out)
        relevant = self._look_up(wanted, first)
        ahead = np.zeros(len(relevant.row), np.int64)
        above = np.zeros(len(self.edge_bits), np.int64)
        best: Keys = np.full((size, self.k), _NOTHING)
        num_ranked = 0
        for tile, keys in zip(self.tiles, second, strict=True):
            keys.sort(axis=1)
            ahead += _count_before(keys, relevant, tile)
            above += _count_above(keys, self.edge_bits)
            best = _merge(best, keys[:, : self.k], tile)
            num_ranked += _count_ranked(keys)
        order = np.lexsort((ahead, relevant.query))
        found = best != _NOTHING
        best_scores = order_keys.bits_to_scores((best >> _HALF).astype(np.uint32))
        return RankedBlock(
            start=start,
            counts=np.bincount(relevant.query, minlength=size).astype(np.int64),
            ranks=ahead[order] + 1,
            scores=order_keys.bits_to_scores(relevant.bits[order]),
            top_rows=np.where(found, (best & _LOW_HALF).astype(np.int64), -1),
            top_scores=np.where(found, best_scores, np.float32(-np.inf)),
            above=above,
            num_ranked=num_ranked,
        )

    def _sweeps(
        self, queries: Vectors, left_out: Sequence[Pairs]
    ) -> tuple[Iterable[Keys], Iterable[Keys]]:
        """Gives the keys of all tiles twice: to look scores up, and to sort and count.

        A gallery of several tiles is scored again for the second sweep: that is the price of
        holding a single tile. One that fits in a tile is scored once.
        """
        if len(self.tiles) == 1:
            keys = [self.gallery.keys(queries, self.tiles[0], left_out)]
            return keys, keys
        return (
            (self.gallery.keys(queries, tile, left_out) for tile in self.tiles),
            (self.gallery.keys(queries, tile, left_out) for tile in self.tiles),
        )

    def _look_up(self, wanted: Pairs, tiles_of_keys: Iterable[Keys]) -> _Relevant:
        query, row = wanted
        bits = np.zeros(len(row), np.uint32)
        kept = np.zeros(len(row), bool)
        if len(row):
            for tile, keys in zip(self.tiles, tiles_of_keys, strict=True):
                here = np.flatnonzero((row >= tile.start) & (row < tile.stop))
                found = keys[query[here], row[here] - tile.start]
                bits[here] = order_keys.bits_of(found)
                kept[here] = ~order_keys.is_left_out(found)
        return _Relevant(query[kept], row[kept], bits[kept])


def _count_before(keys: Keys, relevant: _Relevant, tile: Tile) -> NDArray[np.int64]:
    """Counts, for each relevant pair, the keys of its query in this tile that stand before it.

    A row of an earlier or later tile has no row number here; the nearest one there is stands for
    it, so that equal scores fall on the right side of it.
    """
    row = np.clip(relevant.row - tile.start, 0, order_keys.MAX_ROW)
    return _count_less(keys, relevant.query, order_keys.pack(relevant.bits, relevant.query, row))


def _count_above(keys: Keys, edge_bits: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Counts the keys of all queries with a score above each edge."""
    query = np.arange(len(keys), dtype=np.int64)[:, None]
    edges = np.broadcast_to(edge_bits, (len(keys), len(edge_bits)))
    wanted = order_keys.pack(edges, query, np.zeros(1, np.int64))
    above: NDArray[np.int64] = _count_less(keys, query, wanted).sum(axis=0)
    return above


def _count_ranked(keys: Keys) -> int:
    """Counts the keys that are not left out."""
    query = np.arange(len(keys), dtype=np.int64)
    return int(_count_less(keys, query, order_keys.left_out_keys(query)).sum())


def _count_less(keys: Keys, query: NDArray[np.int64], wanted: Keys) -> NDArray[np.int64]:
    """Counts the keys in a query's sorted line that are less than a key of the same query.

    The query is in a key's highest bits, so the lines end to end are one sorted array.
    """
    less: NDArray[np.int64] = np.searchsorted(keys.ravel(), wanted) - query * keys.shape[1]
    return less


def _merge(best: Keys, keys: Keys, tile: Tile) -> Keys:
    """Merges the first keys of a tile into the best so far, which are score bits | gallery row."""
    bits = order_keys.bits_of(keys).astype(np.uint64)
    row = (order_keys.rows_of(keys) + tile.start).astype(np.uint64)
    new = np.where(order_keys.is_left_out(keys), _NOTHING, (bits << _HALF) | row)
    both = np.sort(np.concatenate([best, new], axis=1), axis=1)
    return both[:, : best.shape[1]]
