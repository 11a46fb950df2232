"""One process's share of the batches that all processes train on together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from toolkit.data.samplers import Sampler


class SharedSampler(Sampler):
    """Cuts every batch of a sampler into as many parts as there are processes.

    The parts in the order of the processes are the batch, so the run sees what one process with the
    whole batch would see: no sampler has to know of this, and no picture comes twice or never. All
    processes have as many batches. Of a batch that does not divide the first ones get one more.

    Args:
        whole: gives the batches of all processes together.
        rank: the number of this process, from 0.
        count: how many there are.
    """

    def __init__(self, whole: Sampler, rank: int, count: int) -> None:
        if not 0 <= rank < count:
            raise ValueError(f"rank is {rank}; of {count} processes it is from 0 to {count - 1}.")
        # What a sampler is otherwise made with is that of `whole`.
        self._whole, self._rank, self._count = whole, rank, count
        self.epoch = self.start_batch = 0

    def __len__(self) -> int:
        return len(self._whole)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        self._whole.set_epoch(self.epoch)
        self._whole.skip(self.start_batch)
        for keys in self._whole:
            size, more = divmod(len(keys), self._count)
            start = self._rank * size + min(self._rank, more)
            yield keys[start : start + size + (self._rank < more)]

    def _batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        raise NotImplementedError("A shared sampler cuts the batches that another one drew.")
