"""Scores of a block of queries against a tile of the gallery, as order keys."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.index import order_keys
from toolkit.index.fixed_point import FixedPoint, Vectors, scores
from toolkit.index.order_keys import Keys

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

QUERY_BLOCK = 1 << order_keys.QUERY_BITS

# Columns of one matrix product: its float64 operands and result stay below some 20 MiB.
_PRODUCT_COLUMNS = 2048


@dataclass(frozen=True)
class Tile:
    """Gallery rows start to stop - 1."""

    start: int
    stop: int


def plan_tiles(num_gallery: int, memory_mib: int) -> list[Tile]:
    """Cuts the gallery so that the keys of one block of queries take at most `memory_mib`.

    Raises:
        ValueError: `memory_mib` is below 1.
    """
    if memory_mib < 1:
        raise ValueError(f"memory_mib must be at least 1, not {memory_mib}.")
    columns = (memory_mib << 20) // (QUERY_BLOCK * np.dtype(np.uint64).itemsize)
    columns = min(columns, order_keys.MAX_ROW)
    return [
        Tile(start, min(start + columns, num_gallery)) for start in range(0, num_gallery, columns)
    ]


@dataclass(frozen=True)
class Gallery:
    """A gallery that blocks of queries are scored against.

    Attributes:
        vectors: float32 [n, d].
        fixed_point: how its vectors are rounded.
        query_fixed_point: how the queries' vectors are rounded.
    """

    vectors: Vectors
    fixed_point: FixedPoint
    query_fixed_point: FixedPoint

    def keys(self, queries: Vectors, tile: Tile, left_out: Sequence[Pairs]) -> Keys:
        """Scores a block of queries against a tile.

        Args:
            queries: float32 [b, d], at most 256.
            tile: which rows.
            left_out: pairs (query within the block, gallery row) to keep out of the ranking.

        Returns:
            uint64 [b, tile rows], not sorted.
        """
        query = np.arange(len(queries), dtype=np.int64)[:, None]
        rounded = self.query_fixed_point.round(queries)
        scale = self.fixed_point.scale * self.query_fixed_point.scale
        keys = np.empty((len(queries), tile.stop - tile.start), np.uint64)
        for start in range(tile.start, tile.stop, _PRODUCT_COLUMNS):
            stop = min(start + _PRODUCT_COLUMNS, tile.stop)
            part = scores(rounded, self.fixed_point.round(self.vectors[start:stop]), scale)
            row = np.arange(start - tile.start, stop - tile.start, dtype=np.int64)
            bits = order_keys.score_bits(part)
            keys[:, row[0] : row[-1] + 1] = order_keys.pack(bits, query, row)
        for block_query, gallery_row in left_out:
            here = (gallery_row >= tile.start) & (gallery_row < tile.stop)
            line = block_query[here]
            keys[line, gallery_row[here] - tile.start] = order_keys.left_out_keys(line)
        return keys
