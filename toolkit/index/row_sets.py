"""For each query a set of gallery rows: those that are relevant, or those to leave out.

Kept as slices of one shared array, so that the queries of a class share their rows: 50,000 queries
with 5,000 relevant rows each cost megabytes, not gigabytes.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowSets:
    """Query i has the gallery rows ``rows[starts[i] : starts[i] + counts[i]]``.

    Attributes:
        rows: int64 gallery rows; a slice that belongs to a query ascends and has no row twice.
        starts: int64 [q].
        counts: int64 [q].
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def from_equal(
        cls, query_keys: Sequence[Hashable], gallery_keys: Sequence[Hashable]
    ) -> "RowSets":
        """Gives each query the gallery rows that have its key: the same label, say, or the same id.

        Args:
            query_keys: [q] one key a query.
            gallery_keys: [n] one key a gallery row.
        """
        code_of = {key: code for code, key in enumerate(dict.fromkeys(gallery_keys))}
        gallery = np.fromiter((code_of[key] for key in gallery_keys), np.int64, len(gallery_keys))
        query = np.fromiter((code_of.get(key, -1) for key in query_keys), np.int64, len(query_keys))
        rows = np.argsort(gallery, kind="stable").astype(np.int64)
        sizes = np.bincount(gallery, minlength=len(code_of) + 1)  # one more, for keys not there
        first = np.cumsum(sizes) - sizes
        return cls(rows, first[query], sizes[query].astype(np.int64))

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[int]]) -> "RowSets":
        """Gives query i the gallery rows ``lists[i]``; a row named twice counts once."""
        distinct = [np.unique(np.asarray(rows, dtype=np.int64)) for rows in lists]
        counts = np.fromiter((len(rows) for rows in distinct), np.int64, len(distinct))
        rows = np.concatenate([np.empty(0, np.int64), *distinct])
        return cls(rows, np.cumsum(counts) - counts, counts)

    def of(self, query: int) -> NDArray[np.int64]:
        """Returns the gallery rows of a query, ascending: a view, not a copy."""
        start = self.starts[query]
        return self.rows[start : start + self.counts[query]]
