"""Batches read ahead by worker processes, through Paddle's DataLoader."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import cv2
from paddle.io import DataLoader

from toolkit.data.dataset import ImageDataset, Item, collate
from toolkit.data.samplers import Sampler
from toolkit.training.learner import Batch


class BatchLoader:
    """Reads the batches that a sampler names; which worker reads what changes no pixel.

    Args:
        dataset: pictures by (epoch, index).
        sampler: which pictures form which batch.
        num_workers: processes that read; 0 reads in this one.
    """

    def __init__(self, dataset: ImageDataset, sampler: Sampler, num_workers: int) -> None:
        self._dataset, self._sampler, self._num_workers = dataset, sampler, num_workers

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._sampler)

    def epoch(self, epoch: int, skip_batches: int) -> Iterator[Batch]:
        """Yields the batches of an epoch (from 1), leaving out the first ones."""
        self._sampler.set_epoch(epoch - 1)
        self._sampler.skip(skip_batches)
        if skip_batches == len(self._sampler):
            return iter(())
        # Paddle takes any objects with the methods of its classes; its annotations ask for these.
        dataset, sampler = cast(Any, self._dataset), cast(Any, self._sampler)
        loader = DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=cast(Any, _collate),
            num_workers=self._num_workers,
            worker_init_fn=_start_worker,
        )
        return iter(loader)


def _collate(items: Sequence[Item]) -> list[object]:
    # Paddle rebuilds lists, not named tuples, on the other side of the queue.
    return list(collate(items))


def _start_worker(number: int) -> None:
    """Leaves the cores to the workers: one thread each for OpenCV."""
    del number
    cv2.setNumThreads(1)
