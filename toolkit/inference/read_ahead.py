"""Preparing pictures in threads while the network is busy, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Ready = TypeVar("_Ready")


def prepared_batches(
    items: Iterable[_Item],
    prepare: Callable[[_Item], _Ready],
    *,
    batch_size: int,
    workers: int,
    batches_ahead: int = 1,
) -> Iterator[list[_Ready]]:
    """Yields `prepare(item)` of every item, in order, in lists of `batch_size` (the last: fewer).

    Decoding and resizing release Python's lock, so threads do them side by side.

    Args:
        items: asked for one at a time.
        prepare: called in a thread.
        batch_size: items a list, 1 or more.
        workers: threads, 1 or more.
        batches_ahead: batches under way while the caller works on the one it was given; 0 takes no
            item from `items` before it is needed.

    Raises:
        Exception: whatever `items` or `prepare` raise; what came before `items` failed is yielded
            first.
    """
    failures: list[Exception] = []
    source = _until_failure(items, failures)
    under_way: deque[list[Future[_Ready]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="prepare") as pool:
        try:
            while True:
                while len(under_way) <= batches_ahead:
                    batch = [pool.submit(prepare, item) for item in islice(source, batch_size)]
                    if not batch:
                        break
                    under_way.append(batch)
                if not under_way:
                    break
                yield [future.result() for future in under_way.popleft()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if failures:
        raise failures[0]


def _until_failure(items: Iterable[_Item], failures: list[Exception]) -> Iterator[_Item]:
    try:
        yield from items
    except Exception as error:  # kept for the caller, who raises it when its turn has come
        failures.append(error)
