"""What a search may use of the machine, and how its work is cut up to keep to that."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from toolkit.runtime import cores_allowed

# A matrix product is fast from some dozens of rows on.
_QUERIES = (64, 1024)
_SCORE_BYTES = np.dtype(np.float32).itemsize
# What a wanted pair costs until its block is done, in the metrics too.
_PAIR_BYTES = 128


@dataclass(frozen=True)
class Budget:
    """What a search may use; it changes no number.

    Attributes:
        memory_mib: about how much working memory, in MiB, from 1; besides it, some 50 MiB.
        threads: for the work beside numpy's matrix product, which has threads of its own; None for
            the cores allowed to the process.
    """

    memory_mib: int = 768
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("memory_mib", self.memory_mib), ("threads", self.threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")

    @property
    def share(self) -> int:
        """Bytes for each of three things: a block's scores, its wanted pairs, a rounded gallery."""
        return (self.memory_mib << 20) // 3


@dataclass(frozen=True)
class Span:
    """Queries or gallery rows `start` to `stop` - 1."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def cut(self, size: int) -> "list[Span]":
        """Returns consecutive spans of `size`, the last one perhaps shorter."""
        starts = range(self.start, self.stop, size)
        return [Span(start, min(start + size, self.stop)) for start in starts]


def plan(num_gallery: int, pairs: NDArray[np.int64], share: int) -> tuple[list[Span], list[Span]]:
    """Chooses blocks of queries and tiles of the gallery.

    A tile is the whole gallery where the scores fit: one of several tiles is scored twice.

    Args:
        num_gallery: rows of the gallery.
        pairs: int64 [q], how many pairs of each query are asked for.
        share: bytes for the scores of a block against a tile, and again for its pairs.

    Returns:
        Blocks, of one query or more, and tiles.
    """
    at_most = int(np.clip(share // (_SCORE_BYTES * max(num_gallery, 1)), *_QUERIES))
    total = np.concatenate([[0], np.cumsum(pairs)])
    blocks: list[Span] = []
    start = 0
    while start < len(pairs):
        fitting = np.searchsorted(total, total[start] + share // _PAIR_BYTES, side="right") - 1
        stop = min(max(int(fitting), start + 1), start + at_most)
        blocks.append(Span(start, stop))
        start = stop
    return blocks, Span(0, num_gallery).cut(share // (_SCORE_BYTES * at_most))


class Workers:
    """Threads that do a piece of the same work each: numpy lets them run side by side.

    Args:
        threads: how many; None for the cores allowed to the process.
    """

    def __init__(self, threads: int | None) -> None:
        self._threads = threads or cores_allowed()
        self._pool = ThreadPoolExecutor(self._threads, "search")

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def share(self, count: int, work: Callable[[Span], None]) -> None:
        """Calls `work` for spans that together are 0 to `count` - 1, and waits for all of them."""
        pieces = Span(0, count).cut(max(-(-count // self._threads), 1))
        list(self._pool.map(work, pieces))
