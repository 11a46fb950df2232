"""A store, a structure over it, and which row stands where: what searches run on."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.index.database.filter_cache import FilterCache
from toolkit.index.database.group_commit import Written
from toolkit.index.database.live_rows import LiveRows
from toolkit.index.database.record_store import RecordStore
from toolkit.index.interface import Closeness, Filter
from toolkit.index.kinds.scan import ROWS_AT_ONCE, best_of, scan, tiles_of
from toolkit.index.kinds.selection import Selection
from toolkit.index.kinds.structure import Structure, Tiles
from toolkit.index.similarity import Similarity

# Up to so many records, or to this share of them, a filter is answered by comparing all it keeps:
# walking past what it leaves out would take longer, or find less.
_NARROW_ROWS, _NARROW_SHARE = 4096, 0.02
# Candidates whose vectors are in memory at a time, or those of one query.
_CANDIDATES_AT_ONCE = 16_384


class Live:
    """What is searched. One thread may change it while none searches.

    Args:
        store: the truth.
        similarity: of its vectors.
        structure: finds them.
    """

    def __init__(self, store: RecordStore, similarity: Similarity, structure: Structure) -> None:
        self.store, self.similarity, self.structure = store, similarity, structure
        self.rows = LiveRows()
        self._filters = FilterCache(store, self.rows)
        self._removes_itself = True

    def adopt(self, rows: NDArray[np.int64]) -> None:
        """Says which rows the vectors that the structure came with are."""
        self.rows.append(rows)

    def catch_up(self, advance: Callable[[int], None] = lambda _: None) -> None:
        """Takes over what the store holds and the structure does not, and the other way round."""
        for block in self._blocks():
            self.publish(block)
            advance(len(block.rows))

    def changes(self) -> Iterator[Written]:
        """Yields what `catch_up` takes over, in pieces that are published in a moment."""
        for block in self._blocks():
            yield from block.pieces()

    def _blocks(self) -> Iterator[Written]:
        new = self.store.rows(self.rows.last)
        gone = np.empty(0, np.int64)
        if self.rows.size:
            gone = np.setdiff1d(self.rows.rows, self.store.rows(), assume_unique=True)
        for start in range(0, max(len(new), 1), ROWS_AT_ONCE):
            rows, vectors = self.store.vectors(new[start : start + ROWS_AT_ONCE])
            yield Written(gone, rows, vectors)
            gone = gone[:0]

    def publish(self, written: Written) -> None:
        """Makes a change findable."""
        self._remove(written.removed)
        self._append(written.rows, written.vectors)

    def _append(self, rows: NDArray[np.int64], vectors: NDArray[Any]) -> None:
        if len(rows):
            self.structure.add(vectors)
            self.rows.append(rows)

    def _remove(self, rows: NDArray[np.int64]) -> None:
        positions = self.rows.remove(rows)
        if len(positions):
            self._removes_itself = self.structure.remove(positions)

    def kept(self, where: Filter) -> int:
        """Returns how many records a filter keeps."""
        return self._filters.selection(where).count

    def nearest(
        self, queries: NDArray[Any], k: int, where: Filter | None
    ) -> tuple[Closeness, NDArray[np.int64]]:
        """Finds the k nearest of what a filter keeps.

        Args:
            queries: prepared [q, w].
            k: from 1.
            where: None for all.

        Returns:
            closeness and rows [q, m], m at most k; -inf and -1 for nothing.
        """
        selection = self._selection(where)
        count = self.rows.count if selection is None else selection.count
        k = min(k, count)
        if k == 0:
            nothing = np.empty((len(queries), 0))
            return nothing.astype(np.float32), nothing.astype(np.int64)
        if selection is not None and self._is_narrow(selection):
            found = scan(queries, self._tiles(selection.positions()), k, self.similarity)
        elif self.structure.exact_scores:
            found = self.structure.search(queries, k, selection)
        else:
            candidates = min(k * self.structure.candidates, count)
            _, positions = self.structure.search(queries, candidates, selection)
            found = self._compared(queries, positions, k)
        closeness, positions = found
        if not self.rows.size:
            return closeness, positions
        return closeness, np.where(positions < 0, -1, self.rows.rows[positions])

    def _selection(self, where: Filter | None) -> Selection | None:
        if where:
            return self._filters.selection(where)
        return self.rows.alive() if self.rows.dead and not self._removes_itself else None

    def _is_narrow(self, selection: Selection) -> bool:
        return selection.count <= max(_NARROW_ROWS, _NARROW_SHARE * selection.size)

    def _tiles(self, positions: NDArray[np.int64]) -> Tiles:
        if self.structure.vectors(positions[:0]) is not None:
            yield from tiles_of(self.structure, positions)
            return
        for start in range(0, len(positions), ROWS_AT_ONCE):
            rows, vectors = self.store.vectors(self.rows.rows[positions[start:][:ROWS_AT_ONCE]])
            yield self.rows.positions(rows), vectors

    def _compared(
        self, queries: NDArray[Any], positions: NDArray[np.int64], k: int
    ) -> tuple[Closeness, NDArray[np.int64]]:
        """Orders candidates by their vectors in place of their codes, some queries at a time."""
        at_once = max(_CANDIDATES_AT_ONCE // max(positions.shape[1], 1), 1)
        pieces = [
            self._compared_piece(queries[start:][:at_once], positions[start:][:at_once], k)
            for start in range(0, len(queries), at_once)
        ]
        nothing = np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        closeness, found = zip(nothing, *pieces, strict=True)
        return np.concatenate(closeness), np.concatenate(found)

    def _compared_piece(
        self, queries: NDArray[Any], positions: NDArray[np.int64], k: int
    ) -> tuple[Closeness, NDArray[np.int64]]:
        wanted = np.unique(positions[positions >= 0])
        rows, vectors = self.store.vectors(self.rows.rows[wanted])
        there = self.rows.positions(rows)
        if not len(there):
            empty = np.full((len(queries), k), -1, np.int64)
            return np.full(empty.shape, -np.inf, np.float32), empty
        slots = np.minimum(np.searchsorted(there, positions), len(there) - 1)
        closeness = self.similarity.closeness(queries, vectors[slots])
        missing = there[slots] != positions
        return best_of(
            np.where(missing, -np.inf, closeness).astype(np.float32),
            np.where(missing, -1, positions),
            k,
        )


def unique_rows(rows: NDArray[np.int64]) -> Sequence[int]:
    """Returns the rows that were found, each once."""
    return list(set(rows.ravel().tolist()) - {-1})
