"""Which pictures form which batch of which epoch.

A sampler is iterated once an epoch and yields lists of (epoch, index), the keys of `ImageDataset`.
Its order is a function of (seed, epoch), drawn from a generator of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import PositiveInt

Key = tuple[int, int]
"""(epoch, index)."""


class Sampler(ABC):
    """Batches of one epoch after another.

    Args:
        labels: class index of each item of the dataset.
        batch_size: items a batch.
        seed: of the order, 0 or more.

    Attributes:
        epoch: the epoch that iterating yields.
        start_batch: batches of it that are left out at its start.
    """

    def __init__(
        self, labels: Sequence[int] | NDArray[np.int64], batch_size: int, seed: int
    ) -> None:
        if len(labels) == 0:
            raise ValueError("there is nothing to draw from: the list has no usable picture.")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be 1 or more.")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must be 0 or more.")
        self._labels = np.asarray(labels, dtype=np.int64)
        self._batch_size, self._seed = batch_size, seed
        self.epoch = 0
        self.start_batch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0; it begins with its first batch."""
        self.epoch, self.start_batch = epoch, 0

    def skip(self, num_batches: int) -> None:
        """Leaves out the first batches of the chosen epoch: a resumed run goes on behind them.

        Raises:
            ValueError: the epoch has not so many batches.
        """
        if not 0 <= num_batches <= len(self):
            raise ValueError(f"cannot skip {num_batches} of the {len(self)} batches of an epoch.")
        self.start_batch = num_batches

    @abstractmethod
    def __len__(self) -> int:
        """Returns the batches of a whole epoch."""

    def __iter__(self) -> Iterator[list[Key]]:
        rng = np.random.default_rng([self._seed, self.epoch])
        for number, rows in enumerate(self._batches(rng)):
            if number >= self.start_batch:
                yield [(self.epoch, int(row)) for row in rows]

    @abstractmethod
    def _batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yields the indices of every batch of a whole epoch."""


class UniformSampler(Sampler):
    """Every item once an epoch.

    Args:
        labels: class index of each item; only their number counts.
        batch_size: items a batch.
        seed: of the order.
        shuffle: a new random order each epoch; otherwise that of the list.
        drop_last: leave out the last items of the order when they do not fill a batch.
    """

    def __init__(
        self,
        labels: Sequence[int] | NDArray[np.int64],
        batch_size: int,
        seed: int,
        *,
        shuffle: bool = True,
        drop_last: bool = True,
    ) -> None:
        super().__init__(labels, batch_size, seed)
        if drop_last and batch_size > len(labels):
            raise ValueError(
                f"batch_size {batch_size} is more than the {len(labels)} pictures of the data, so "
                f"no batch would be full: use batch_size {len(labels)} or smaller, or drop_last: "
                "false."
            )
        self._shuffle, self._drop_last = shuffle, drop_last

    def __len__(self) -> int:
        return _num_batches(len(self._labels), self._batch_size, drop_last=self._drop_last)

    def _batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        count = len(self._labels)
        order = rng.permutation(count) if self._shuffle else np.arange(count)
        for number in range(len(self)):
            yield order[number * self._batch_size : (number + 1) * self._batch_size]


class PKSampler(Sampler):
    """P different classes with K items each: every item has K - 1 others of its class in the batch.

    P is batch_size / K. Classes are drawn anew for each batch, so an epoch does not take every item
    exactly once; it has as many batches as the data would fill.

    Args:
        labels: class index of each item.
        batch_size: items a batch, a multiple of `sample_per_id`.
        seed: of the draws.
        sample_per_id: K.
        sample_method: how likely a class is: ``sample_avg_prob``: in proportion to its items;
            ``id_avg_prob``: all alike.
        drop_last: count only full batches of data (at least one); otherwise round up.

    Raises:
        ValueError: batch_size is no multiple of K, or there are fewer than P classes.
    """

    def __init__(
        self,
        labels: Sequence[int] | NDArray[np.int64],
        batch_size: int,
        seed: int,
        *,
        sample_per_id: PositiveInt = 4,
        sample_method: Literal["sample_avg_prob", "id_avg_prob"] = "sample_avg_prob",
        drop_last: bool = True,
    ) -> None:
        super().__init__(labels, batch_size, seed)
        if sample_method not in ("sample_avg_prob", "id_avg_prob"):
            raise ValueError(
                f"sample_method is {sample_method!r}; it must be sample_avg_prob or id_avg_prob."
            )
        order = np.argsort(self._labels, kind="stable")
        _, starts, counts = np.unique(self._labels[order], return_index=True, return_counts=True)
        self._items_of_class = np.split(order, starts[1:])
        _check_batch(batch_size, sample_per_id, len(counts))
        self._classes_per_batch, self._sample_per_id = batch_size // sample_per_id, sample_per_id
        weights = counts if sample_method == "sample_avg_prob" else np.ones(len(counts))
        self._probabilities = weights / weights.sum()
        self._drop_last = drop_last

    def __len__(self) -> int:
        full = _num_batches(len(self._labels), self._batch_size, drop_last=self._drop_last)
        return max(1, full)

    def _batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        num_classes = len(self._items_of_class)
        for _ in range(len(self)):
            classes = rng.choice(
                num_classes, self._classes_per_batch, replace=False, p=self._probabilities
            )
            yield np.concatenate([self._draw(self._items_of_class[c], rng) for c in classes])

    def _draw(self, items: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Returns K items of one class, repeating some only when the class has fewer."""
        repeats = len(items) < self._sample_per_id
        return rng.choice(items, self._sample_per_id, replace=repeats)


def _num_batches(num_items: int, batch_size: int, *, drop_last: bool) -> int:
    return num_items // batch_size if drop_last else -(-num_items // batch_size)


def _check_batch(batch_size: int, sample_per_id: int, num_classes: int) -> None:
    if sample_per_id < 1:
        raise ValueError(f"sample_per_id is {sample_per_id}; it must be 1 or more.")
    if batch_size % sample_per_id:
        lower = batch_size - batch_size % sample_per_id
        advice = f"{lower} or {lower + sample_per_id}" if lower else str(sample_per_id)
        raise ValueError(
            f"batch_size {batch_size} is not a multiple of sample_per_id {sample_per_id}: "
            f"use batch_size {advice}."
        )
    if num_classes < batch_size // sample_per_id:
        raise ValueError(
            f"batch_size {batch_size} needs at least {batch_size // sample_per_id} classes for "
            f"sample_per_id {sample_per_id}; the data has {num_classes}: use batch_size "
            f"{num_classes * sample_per_id} or smaller."
        )
