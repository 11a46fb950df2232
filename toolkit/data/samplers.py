"""Which pictures form which batch of which epoch.

A sampler is iterated once an epoch and yields lists of (epoch, index), the keys of `ImageDataset`.
Its order is a function of (seed, epoch), drawn from a generator of its own.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import NonNegativeInt, PositiveFloat, PositiveInt

_LOG = logging.getLogger(__name__)

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
        id_list: [first, last, first, last, ...]: ranges of classes, both ends included. A class
            is numbered, from 0, by where it first comes up in the list, whatever its label.
        ratio: one factor a range, of the probability of its classes; the first range counts.

    Raises:
        ValueError: batch_size is no multiple of K, there are fewer than P classes, or the ranges
            and their factors are not as many.
    """

    def __init__(  # noqa: PLR0913 - one argument for each option of the sampler
        self,
        labels: Sequence[int] | NDArray[np.int64],
        batch_size: int,
        seed: int,
        *,
        sample_per_id: PositiveInt = 4,
        sample_method: Literal["sample_avg_prob", "id_avg_prob"] = "sample_avg_prob",
        drop_last: bool = True,
        id_list: list[NonNegativeInt] | None = None,
        ratio: list[PositiveFloat] | None = None,
    ) -> None:
        super().__init__(labels, batch_size, seed)
        if sample_method not in ("sample_avg_prob", "id_avg_prob"):
            raise ValueError(
                f"sample_method is {sample_method!r}; it must be sample_avg_prob or id_avg_prob."
            )
        self._items_of_class = _items_by_class(self._labels)
        counts = np.array([len(items) for items in self._items_of_class])
        _check_batch(batch_size, sample_per_id, len(counts))
        self._classes_per_batch, self._sample_per_id = batch_size // sample_per_id, sample_per_id
        weights = counts if sample_method == "sample_avg_prob" else np.ones(len(counts))
        if id_list or ratio:
            firsts = np.array([items[0] for items in self._items_of_class])
            weights = weights * _range_factors(firsts, id_list or [], ratio or [])
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


class RandomIdentitySampler(Sampler):
    """P different classes with K items each, where every item has its turn before any comes back.

    Each class is shuffled and cut into groups of K; a class with fewer than K items makes one group
    with repetitions, and what is left over of a larger one waits for the next deal. A batch takes
    one group of each of P classes that have groups left. When fewer than P classes have, all are
    dealt anew. PaddleClas's DistributedRandomIdentitySampler ends the epoch there, with a number of
    batches that chance decides; here an epoch has as many batches as there are groups for, which is
    the number that PaddleClas announces and plans the learning rate with.

    Args:
        labels: class index of each item.
        batch_size: items a batch, a multiple of `sample_per_id`.
        seed: of the draws.
        sample_per_id: K.
        drop_last: count only full batches (at least one); otherwise round up. All are full.

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
        drop_last: bool = False,
    ) -> None:
        super().__init__(labels, batch_size, seed)
        self._items_of_class = _items_by_class(self._labels)
        _check_batch(batch_size, sample_per_id, len(self._items_of_class))
        self._classes_per_batch, self._sample_per_id = batch_size // sample_per_id, sample_per_id
        groups = sum(max(1, len(items) // sample_per_id) for items in self._items_of_class)
        self._num_items = groups * sample_per_id
        self._drop_last = drop_last

    def __len__(self) -> int:
        full = _num_batches(self._num_items, self._batch_size, drop_last=self._drop_last)
        return max(1, full)

    def _batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        groups: dict[int, list[NDArray[np.int64]]] = {}
        for _ in range(len(self)):
            if len(groups) < self._classes_per_batch:
                groups = self._deal(rng)
            chosen = rng.choice(list(groups), self._classes_per_batch, replace=False)
            yield np.concatenate([groups[number].pop() for number in chosen])
            for number in chosen:
                if not groups[number]:
                    del groups[number]

    def _deal(self, rng: np.random.Generator) -> dict[int, list[NDArray[np.int64]]]:
        """Shuffles every class and cuts it into groups: class -> groups of K items."""
        size, dealt = self._sample_per_id, {}
        for number, items in enumerate(self._items_of_class):
            few = len(items) < size
            order = rng.choice(items, size) if few else rng.permutation(items)
            dealt[number] = [order[i : i + size] for i in range(0, len(order) - size + 1, size)]
        return dealt


def _items_by_class(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Returns the indices of the items of each class, classes and items in ascending order."""
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    return np.split(order, starts[1:])


def _range_factors(
    firsts: NDArray[np.int64], id_list: Sequence[int], ratio: Sequence[float]
) -> NDArray[np.float64]:
    """Returns the factor of each class; `firsts` is where each comes up first in the list."""
    if len(id_list) != 2 * len(ratio):
        raise ValueError(
            f"id_list {list(id_list)} and ratio {list(ratio)} do not go together: give a first and "
            "a last class for each factor."
        )
    places = np.argsort(np.argsort(firsts))
    factors = np.ones(len(firsts))
    # The first range that has a class decides, so it is written last.
    for first, last, factor in zip(id_list[-2::-2], id_list[::-2], ratio[::-1], strict=True):
        factors[(places >= first) & (places <= last)] = factor
        if last >= len(firsts):
            _LOG.warning(
                "id_list has classes %d to %d, and the data has %d classes: those from %d on are "
                "not there. Say which classes of your own list you mean, or leave it out.",
                first, last, len(firsts), len(firsts),
            )  # fmt: skip
    return factors


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
