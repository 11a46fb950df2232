"""The next number of a picture in its group, for many who add at once."""

from threading import Lock

from toolkit.index.interface import Filter, VectorIndex

_MOST_GROUPS = 10_000


class Numbers:
    """Gives out numbers: one above the largest that a group has, and none twice.

    What is given out and not written leaves a gap. Whoever writes still adds and never replaces, so
    a number that was taken by name meanwhile is found out.

    Args:
        index: holds the records.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._index, self._lock = index, Lock()
        self._next: dict[str | None, int] = {}

    def take(self, group_id: str | None, count: int) -> range:
        """Returns numbers that nobody else gets.

        Args:
            group_id: the group; None counts over all groups.
            count: how many.
        """
        with self._lock:
            if group_id not in self._next:
                where: Filter | None = None if group_id is None else {"group_id": group_id}
                taken = (entry.record["intra_id"] for entry in self._index.entries(where))
                if len(self._next) >= _MOST_GROUPS:
                    self._next.clear()
                self._next[group_id] = max(taken, default=-1) + 1
            first = self._next[group_id]
            self._next[group_id] = first + count
            return range(first, first + count)

    def written(self, group_id: str, number: int) -> None:
        """Says that a number is taken."""
        with self._lock:
            for counted in (group_id, None):
                if counted in self._next:
                    self._next[counted] = max(self._next[counted], number + 1)

    def forget(self) -> None:
        """Looks again at what there is: records have gone."""
        with self._lock:
            self._next.clear()
