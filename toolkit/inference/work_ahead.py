"""Work in threads ahead of the caller: results in order, a bounded number of batches under way."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Batch = TypeVar("_Batch")
_Done = TypeVar("_Done")


@contextmanager
def worker_threads(count: int, *, wait: bool = False) -> Iterator[ThreadPoolExecutor]:
    """Yields threads that are let go when the block is left: none begins anything new then.

    Args:
        count: how many.
        wait: leave the block only when what they are doing is done.
    """
    pool = ThreadPoolExecutor(count, thread_name_prefix="pictures")
    try:
        yield pool
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


def batches_of(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yields `size` items at a time, at last fewer; none is taken before its batch is asked for.

    Raises:
        Exception: whatever `items` raise, behind a batch of what came before it.
    """
    iterator = iter(items)
    failure: Exception | None = None
    while failure is None:
        batch: list[_Item] = []
        try:
            batch.extend(islice(iterator, size))
        except Exception as error:  # raised when its turn has come
            failure = error
        if batch:
            yield batch
        elif failure is None:
            return
    raise failure


def in_order(
    batches: Iterable[_Batch], start: Callable[[_Batch], Callable[[], _Done]], *, ahead: int
) -> Iterator[_Done]:
    """Yields what becomes of each batch, in order.

    Args:
        batches: asked for one at a time, in the caller's thread.
        start: sets the work on a batch going, and returns what waits for its result.
        ahead: batches under way behind the one that is waited for; with 0 none is asked for before
            the caller wants it.

    Raises:
        Exception: whatever the batches or the work raise, each in its turn.
    """
    iterator = iter(batches)
    under_way: deque[Callable[[], _Done]] = deque()
    failure: Exception | None = None
    while True:
        try:
            missing = 0 if failure else ahead + 1 - len(under_way)
            under_way.extend(start(batch) for batch in islice(iterator, missing))
        except Exception as error:  # raised when its turn has come
            failure = error
        if not under_way:
            break
        yield under_way.popleft()()
    if failure is not None:
        raise failure
