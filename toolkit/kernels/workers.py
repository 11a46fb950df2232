"""The threads that share the work of one operator, and how work is cut for them.

The compiled loops and the matrix library run outside of Python's lock, so plain threads use all
cores. What a piece of work computes depends on its place alone and never on who does it, so the
number of threads changes no bit of a result.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional

# Several pieces for each thread: a core that others use too gets fewer of them.
_PIECES_PER_THREAD = 4
# Waking a thread takes as long as reading about this many numbers.
_LEAST_NUMBERS = 32_768


class Workers:
    """Some threads, started once and used by every layer of a network.

    Args:
        threads: how many work at a time, the calling one included; at least 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._process = os.getpid()
        controller = import_optional("threadpoolctl", purpose="Training with compiled kernels")
        found = controller.ThreadpoolController().select(user_api="blas")
        self._libraries: list[Any] = found.lib_controllers

    def __deepcopy__(self, memo: dict[int, Any]) -> "Workers":
        """A copy of a network works with the same threads."""
        return self

    def run(self, work: Callable[[int, int], None], count: int, least: int = 1) -> None:
        """Calls `work(start, stop)` until 0 to `count` is covered, in any order.

        Args:
            work: must write to no place that another range writes to.
            count: how many items there are, such as images.
            least: how many items are worth the attention of another thread.
        """
        pieces = max(1, min(count // least, self.threads * _PIECES_PER_THREAD))
        edges = [count * piece // pieces for piece in range(pieces + 1)]
        todo = iter(list(pairwise(edges)))
        # A forked process has the object and not the threads.
        if self._pool is None or pieces < 2 or os.getpid() != self._process:
            _drain(work, todo)
            return
        helpers = min(self.threads, pieces) - 1
        others = [self._pool.submit(_drain, work, todo) for _ in range(helpers)]
        try:
            _drain(work, todo)
        finally:
            # Whoever has not begun by now would find nothing to do.
            begun = [other for other in others if not other.cancel()]
            wait(begun)
        for other in begun:
            other.result()

    def run_products(self, work: Callable[[int, int], None], count: int) -> None:
        """As `run`, for work that multiplies matrices: each product on the thread that asks."""
        before = [library.num_threads for library in self._libraries]
        try:
            for library in self._libraries:
                library.set_num_threads(1)
            self.run(work, count)
        finally:
            for library, threads in zip(self._libraries, before, strict=True):
                library.set_num_threads(threads)


def least_planes(planes: NDArray[np.float32]) -> int:
    """Returns how many planes [planes, ...] are worth another thread's attention."""
    return max(1, _LEAST_NUMBERS // max(1, int(planes[0].size)))


def _drain(work: Callable[[int, int], None], todo: Iterator[tuple[int, int]]) -> None:
    for start, stop in todo:
        work(start, stop)
