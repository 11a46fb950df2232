"""Requests of many clients, run as one batch.

A network does sixteen pictures sooner than sixteen times one. While it is busy, requests gather;
whatever has gathered is the next batch. A lone request waits for nobody.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Generic, TypeVar

from toolkit.serving.problems import Kind, Problem

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class MicroBatcher(Generic[_Item, _Done]):
    """Threads that run what others hand in, batch by batch.

    Args:
        run: does a batch; gives one outcome an item, and an outcome that is an exception is raised
            where its item came from. Called from several threads.
        batch_size: items that are run together at most.
        wait: seconds that the first of a batch waits for others.
        queue_size: items that may wait; more are refused.
        threads: batches at a time. With two, one is decoded while the other is in the network.
        side_by_side: the threads compute as fast together as each alone: each takes its share of
            what waits, and leaves the rest to the others.
        on_batch: told the size of each batch.
    """

    def __init__(
        self,
        run: Callable[[Sequence[_Item]], Sequence[_Done | Exception]],
        *,
        batch_size: int,
        queue_size: int,
        wait: float = 0.0,
        threads: int = 2,
        side_by_side: bool = False,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._run, self._batch_size, self._wait = run, batch_size, wait
        self._queue_size, self._on_batch = queue_size, on_batch
        self._shares = threads if side_by_side else 1
        self._waiting: list[tuple[_Item, Future[_Done]]] = []
        self._changed = Condition()
        self._closed = False
        self._threads = [
            Thread(target=self._work, name=f"batches-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    def submit(self, item: _Item) -> "Future[_Done]":
        """Hands in an item.

        Raises:
            Problem: the queue is full, or the service stops.
        """
        future: Future[_Done] = Future()
        with self._changed:
            if self._closed:
                raise Problem(Kind.BUSY, "The service is stopping.", retry_after=5)
            if len(self._waiting) >= self._queue_size:
                raise Problem(
                    Kind.BUSY,
                    f"{self._queue_size} pictures wait for the network; try again.",
                    retry_after=1,
                )
            self._waiting.append((item, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Does what has been handed in, and ends."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while batch := self._next():
            # Whoever gave up waiting is not worth the work.
            batch = [(item, future) for item, future in batch if not future.cancelled()]
            if batch:
                self._answer(batch)

    def _next(self) -> list[tuple[_Item, "Future[_Done]"]]:
        """Waits for a batch; empty when there will be no more."""
        with self._changed:
            while True:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                self._gather()
                count = min(self._batch_size, -(-len(self._waiting) // self._shares))
                batch = self._waiting[:count]
                del self._waiting[:count]
                if batch or self._closed:
                    return batch
                # Another thread was quicker.

    def _gather(self) -> None:
        """Waits for the companions of the first that is there."""
        until = time.monotonic() + self._wait
        while 0 < len(self._waiting) < self._batch_size and not self._closed:
            remaining = until - time.monotonic()
            if remaining <= 0 or not self._changed.wait(remaining):
                return

    def _answer(self, batch: list[tuple[_Item, "Future[_Done]"]]) -> None:
        if self._on_batch is not None:
            self._on_batch(len(batch))
        outcomes: Sequence[_Done | Exception]
        try:
            outcomes = self._run([item for item, _ in batch])
        except Exception as error:
            outcomes = [error] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
