"""What every kind of structure does: positions in, positions out."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Positions
from toolkit.index.kinds.selection import Selection


class Structure(Protocol):
    """Finds near vectors among those that were added; the first one has position 0.

    One thread may change it while none searches; several may search at a time.
    """

    @property
    def size(self) -> int:
        """Vectors that were added, removed ones too."""
        ...

    @property
    def exact_scores(self) -> bool:
        """Whether closeness is that of the vectors themselves, not of their codes."""
        ...

    @property
    def candidates(self) -> int:
        """So many times k are asked for and compared with their vectors; 1 for exact scores."""
        ...

    def add(self, vectors: NDArray[Any]) -> None:
        """Adds prepared vectors [n, w] behind the others."""
        ...

    def remove(self, positions: NDArray[np.int64]) -> bool:
        """Makes positions unfindable; False where searches must be told what is left instead."""
        ...

    def search(
        self, queries: NDArray[Any], k: int, selection: Selection | None
    ) -> tuple[Closeness, Positions]:
        """Finds the k nearest of the selection, or of all; there may be fewer.

        Args:
            queries: prepared [q, w].
            k: from 1.
            selection: positions that may be found; None for all.
        """
        ...

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[Any] | None:
        """Returns vectors [n, w] from memory; None where only their codes are there."""
        ...


Tiles = Iterator[tuple[NDArray[np.int64], NDArray[Any]]]
"""Positions and their prepared vectors, a bounded number at a time."""
