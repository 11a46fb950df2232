"""The ranking of a gallery for a block of queries: find the relevant rows, count what is before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.index.budget import Span, Workers
from toolkit.index.numpy_counting import NumpyCounter
from toolkit.index.ranked_block import RankedBlock
from toolkit.index.row_sets import RowSets
from toolkit.index.tiles import Lines, Scorer
from toolkit.kernels.installed import load_compiled

# Compiled loops take half a second to load, and seconds to compile for the first time.
_PAIRS_FOR_LOOPS = 200_000_000
# A row that belongs among the first k is put into its place one by one.
_LARGEST_K_FOR_LOOPS = 256


class Counter(Protocol):
    """What is known of a block's rankings while tile after tile is shown to it."""

    def begin(self, wanted: Sequence[NDArray[np.int64]]) -> None:
        """Begins a block: the relevant gallery rows of each of its queries, ascending."""

    def sweep(self, lines: Lines, tile: Span, *, finds: bool, counts: bool) -> None:
        """Looks relevant rows up in a tile, or counts in it, or one after the other."""

    def result(self, start: int) -> RankedBlock:
        """Returns what was counted; `start` is the number of the first query."""


OpenCounter = Callable[[int, NDArray[np.float32], Workers], Counter]
"""Opens one for the number of first rows to keep, ascending edges, and threads."""


def choose_counter(num_pairs: int, k: int) -> OpenCounter:
    """Returns what counts: compiled loops where they are installed and worth their start."""
    if num_pairs < _PAIRS_FOR_LOOPS or k > _LARGEST_K_FOR_LOOPS:
        return NumpyCounter
    return load_compiled(_compiled, otherwise="Ranking with numpy") or NumpyCounter


def _compiled() -> OpenCounter:
    from toolkit.index.compiled_counting import CompiledCounter

    return CompiledCounter


@dataclass(frozen=True)
class BlockRanking:
    """One gallery and what is asked about every block of queries.

    Attributes:
        scorer: gives the scores.
        tiles: the gallery's rows, cut up.
        wanted: rows whose ranks are asked for.
        counter: counts in the scores of one block after the other.
    """

    scorer: Scorer
    tiles: list[Span]
    wanted: RowSets
    counter: Counter

    def rank(self, block: Span) -> RankedBlock:
        """Ranks the gallery for the queries of a block."""
        sets = [self.wanted.of(query) for query in range(block.start, block.stop)]
        self.counter.begin(sets)
        for finds, counts in self._sweeps(block):
            for tile in self.tiles:
                lines = self.scorer.lines(block, tile)
                self.counter.sweep(lines, tile, finds=finds, counts=counts)
        return self.counter.result(block.start)

    def _sweeps(self, block: Span) -> list[tuple[bool, bool]]:
        """Chooses in which sweep over all tiles marks are found, and in which rows are counted.

        Nothing can be counted before all marks are found, so a gallery of several tiles is scored
        twice: that is the price of holding a single tile.
        """
        if not self.wanted.counts[block.start : block.stop].any():
            return [(False, True)]
        return [(True, True)] if len(self.tiles) == 1 else [(True, False), (False, True)]
