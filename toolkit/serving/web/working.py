"""Threads that work on requests, while one other thread speaks to all clients."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from toolkit.serving.limits import Limits
from toolkit.serving.problems import Kind, Problem

_Done = TypeVar("_Done")


class Workers:
    """A fixed number of threads.

    Args:
        limits: how many, and how long a request may take.
    """

    def __init__(self, limits: Limits) -> None:
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="requests")
        self.limits = limits

    async def run(self, work: Callable[[], _Done]) -> _Done:
        """Runs something in a thread.

        Raises:
            Problem: it takes too long. A change that is under way is still made.
            Exception: whatever the work raises.
        """
        return await self.answer(self._pool.submit(work))

    async def answer(self, future: "Future[_Done]") -> _Done:
        """Waits for what another thread does.

        Raises:
            Problem: it takes too long; what nobody has begun is left undone.
            Exception: whatever the work raises.
        """
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.limits.timeout)
        except asyncio.TimeoutError:
            raise Problem(
                Kind.TIMED_OUT,
                f"The request took longer than {self.limits.timeout:g} s (Serve.timeout). A change "
                "may have been made or not; look, or send it again under the same ids.",
            ) from None

    def close(self) -> None:
        """Waits for what is under way."""
        self._pool.shutdown(cancel_futures=True)
