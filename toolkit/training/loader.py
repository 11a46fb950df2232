"""Batches read ahead by worker processes, through Paddle's DataLoader."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import cv2
import numpy as np
from paddle.io import DataLoader

from toolkit.data.dataset import ImageDataset, Item, collate
from toolkit.data.samplers import Sampler
from toolkit.errors import ConfigError
from toolkit.training.learner import Batch

# Before the message of an error that a worker sends in place of a batch.
_WENT_WRONG = "\0"
_NO_PICTURE = (
    np.zeros((1, 3, 1, 1), dtype=np.float32),
    np.zeros(1, dtype=np.int64),
    np.full(1, -1, dtype=np.int64),
)


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
            return
        if self._num_workers == 0:
            # Not Paddle's loader: an error in its reading thread would leave this one waiting.
            for keys in self._sampler:
                yield collate([self._dataset[key] for key in keys])
            return
        # One thread of OpenCV for each worker. It is set here, for a fork does not copy the threads
        # of OpenCV's pool: a worker that touched a pool which an evaluation had started would wait
        # for them for ever.
        cv2.setNumThreads(1)
        # Paddle takes any objects with the methods of its classes; its annotations ask for these.
        dataset, sampler = cast(Any, self._dataset), cast(Any, self._sampler)
        loader = DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=cast(Any, _collate),
            num_workers=self._num_workers,
        )
        # A generator, and not Paddle's iterator: that one breaks when it is asked again at its end.
        for batch in loader:
            yield _received(batch)


def _collate(items: Sequence[Item]) -> list[object]:
    """Makes a batch in a worker, as a list: Paddle brings over no named tuples, and no exceptions.

    An array without elements is lost on the way too, so a batch without a picture is sent as a
    single row with the index -1.
    """
    try:
        batch = collate(items)
    except ConfigError as error:
        return [*_NO_PICTURE, [f"{_WENT_WRONG}{error}"]]
    return list(batch) if len(batch.images) else [*_NO_PICTURE, batch.failures]


def _received(batch: list[Any]) -> Batch:
    """Undoes what `_collate` does for the way."""
    images, labels, indices, failures = batch
    if failures and failures[0].startswith(_WENT_WRONG):
        raise ConfigError(failures[0].removeprefix(_WENT_WRONG))
    if int(indices[0]) < 0:
        return collate([])._replace(failures=failures)
    return images, labels, indices, failures
