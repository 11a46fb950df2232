"""Which row stands at which position of a structure, and which positions are still alive."""

import numpy as np
from numpy.typing import NDArray

from toolkit.index.kinds.selection import Selection

_AT_FIRST = 1024


class LiveRows:
    """The rows of a structure by position: they ascend, because rows are numbered by writing.

    `version` is another one after every change.
    """

    def __init__(self) -> None:
        self._rows = np.zeros(_AT_FIRST, np.int64)
        self._alive = np.zeros(_AT_FIRST, np.bool_)
        self.size = self.dead = self.version = 0
        self._selection: Selection | None = None

    @property
    def count(self) -> int:
        """Positions that are alive."""
        return self.size - self.dead

    @property
    def last(self) -> int:
        """The highest row; 0 where there is none."""
        return int(self._rows[self.size - 1]) if self.size else 0

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64 [size], ascending, removed rows too."""
        return self._rows[: self.size]

    def append(self, rows: NDArray[np.int64]) -> None:
        """Adds rows behind the others; they ascend, and are above all that are there."""
        size = self.size + len(rows)
        if size > len(self._rows):
            capacity = max(size, 2 * len(self._rows))
            self._rows = np.concatenate([self.rows, np.zeros(capacity - self.size, np.int64)])
            grown = np.zeros(capacity, np.bool_)
            grown[: self.size] = self._alive[: self.size]
            self._alive = grown
        self._rows[self.size : size] = rows
        self._alive[self.size : size] = True
        self.size = size
        self._changed()

    def remove(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Marks rows as gone and returns their positions; those not here are left out."""
        positions = self.positions(rows)
        positions = positions[self._alive[positions]]
        self._alive[positions] = False
        self.dead += len(positions)
        self._changed()
        return positions

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the positions of rows; those not here are left out."""
        positions = np.searchsorted(self.rows, rows)
        inside = positions < self.size
        positions, rows = positions[inside], rows[inside]
        found: NDArray[np.int64] = positions[self.rows[positions] == rows]
        return found

    def alive(self) -> Selection:
        """Returns the positions that are alive."""
        if self._selection is None:
            bits = np.packbits(self._alive[: self.size], bitorder="little")
            self._selection = Selection(bits, self.size, self.count)
        return self._selection

    def _changed(self) -> None:
        self.version += 1
        self._selection = None
