"""Batches made ready by threads while a step computes, in order and in bounded memory.

Threads and not processes: decoding, resizing and Paddle's own operators let other threads of Python
run, nothing has to be sent from process to process, and no epoch begins with starting them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import cv2

from toolkit.data.samplers import Key, Sampler
from toolkit.inference.work_ahead import in_order, worker_threads
from toolkit.training.learner import Batch

_Task = TypeVar("_Task")
_Done = TypeVar("_Done")


class Dataset(Protocol):
    """What makes a batch of the keys that a sampler gives."""

    def batch(self, keys: list[Key]) -> Batch:
        """Reads and stacks; may be called from several threads at once."""


class BatchLoader:
    """Reads the batches that a sampler names; which thread reads what changes no pixel.

    Args:
        dataset: pictures by (epoch, index).
        sampler: which pictures form which batch.
        num_workers: threads that read; 0 reads in the caller's.
    """

    def __init__(self, dataset: Dataset, sampler: Sampler, num_workers: int) -> None:
        self._dataset, self._sampler, self._num_workers = dataset, sampler, num_workers

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._sampler)

    def epoch(self, epoch: int, skip_batches: int) -> Iterator[Batch]:
        """Yields the batches of an epoch (from 1), leaving out the first ones.

        Raises:
            ConfigError: the pictures of a batch differ in size.
        """
        self._sampler.set_epoch(epoch - 1)
        self._sampler.skip(skip_batches)
        # With threads of its own OpenCV would want more cores than there are.
        cv2.setNumThreads(1)
        yield from made_ahead(self._dataset.batch, self._sampler, self._num_workers)


def made_ahead(
    make: Callable[[_Task], _Done], tasks: Iterable[_Task], num_workers: int
) -> Iterator[_Done]:
    """Yields what becomes of each task, in order.

    Args:
        make: does a task, in a thread.
        tasks: asked for one at a time, in the caller's thread.
        num_workers: threads; one task more than these is under way or done ahead of the caller. 0
            does each task when it is asked for.

    Raises:
        Exception: whatever `make` raises, in its turn.
    """
    if not num_workers:
        yield from map(make, tasks)
        return
    with worker_threads(num_workers, wait=True) as pool:
        yield from in_order(tasks, lambda task: pool.submit(make, task).result, ahead=num_workers)
