"""Writes of many threads, committed together: one wait for the disk for all that came meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import StorageError, ToolkitError, VectorIndexError
from toolkit.index.database.record_store import RecordStore

_MOST_TOGETHER = 64
# A graph takes these in a quarter of a second, during which searches wait.
_PIECE = 256


@dataclass(frozen=True)
class Written:
    """What a change did.

    Attributes:
        removed: rows that are gone, int64.
        rows: rows that are new, int64 [n], ascending.
        vectors: of the new rows [n, w].
    """

    removed: NDArray[np.int64]
    rows: NDArray[np.int64]
    vectors: NDArray[Any]

    def pieces(self) -> Iterator["Written"]:
        """Yields it in pieces that are made findable in a moment; the first has what is removed."""
        removed = self.removed
        for start in range(0, max(len(self.rows), 1), _PIECE):
            piece = slice(start, start + _PIECE)
            yield Written(removed, self.rows[piece], self.vectors[piece])
            removed = removed[:0]


Change = Callable[[RecordStore], Written]
"""Writes into the open transaction of a store."""


@dataclass(frozen=True)
class _Order:
    change: Change
    store: RecordStore
    done: "Future[Written]" = field(default_factory=Future)


class GroupCommit:
    """A thread that writes what others hand in.

    Args:
        store: returns the store to write to, which is written by this thread alone.
        commit: runs a block that writes and commits, and makes what it returns findable.
    """

    def __init__(
        self,
        store: Callable[[], RecordStore],
        commit: Callable[[Callable[[], Sequence[Written]]], None],
    ) -> None:
        self._store, self._commit = store, commit
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._closed, self._closing = False, Lock()
        self._thread = Thread(target=self._run, name="index-commits", daemon=True)
        self._thread.start()

    def write(self, change: Change, store: RecordStore) -> Written:
        """Returns when the change is durable and findable.

        Args:
            change: what is written.
            store: that it was made for.

        Raises:
            ToolkitError: the change cannot be made; nothing of it was.
        """
        order = _Order(change, store)
        with self._closing:
            if self._closed:
                raise VectorIndexError("This index is closed; open it again to write.")
            self._orders.put(order)
        return order.done.result()

    def close(self) -> None:
        """Waits for what was handed in."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            orders = [self._orders.get()]
            while not self._orders.empty() and len(orders) < _MOST_TOGETHER:
                orders.append(self._orders.get())
            ended = None in orders
            self._write_together([order for order in orders if order is not None])

    def _write_together(self, orders: Sequence[_Order]) -> None:
        """Commits orders as one, and tells each what came of it."""
        outcomes: dict[int, Written | BaseException] = {}

        def write() -> Sequence[Written]:
            store = self._store()
            with store.transaction():
                for number, order in enumerate(orders):
                    outcomes[number] = _made(order, store)
            return [outcome for outcome in outcomes.values() if isinstance(outcome, Written)]

        if not orders:
            return
        try:
            self._commit(write)
        except BaseException as error:
            if len(orders) > 1 and isinstance(error, StorageError):
                for order in orders:  # what is too large for the disk may be one of them
                    self._write_together([order])
                return
            outcomes = dict.fromkeys(range(len(orders)), error)
        for number, order in enumerate(orders):
            _tell(order, outcomes[number])


def _made(order: _Order, store: RecordStore) -> Written | BaseException:
    """Makes one change; one that cannot be made leaves the others as they are."""
    if order.store is not store:
        return VectorIndexError(
            "The index serves vectors of another model since this write was handed in. Compute its "
            "vectors with that model and write again."
        )
    try:
        with store.savepoint():
            return order.change(store)
    except ToolkitError as error:
        return error


def _tell(order: _Order, outcome: Written | BaseException) -> None:
    if isinstance(outcome, Written):
        order.done.set_result(outcome)
    else:
        order.done.set_exception(outcome)
