"""Divides a dataset anew into train, gallery and query: seeded, class by class, all lists or none.

``by: image`` gives every class to all three lists, which measures how well known classes are told
apart. ``by: class`` keeps the classes of the gallery and the queries out of training, which is
what a retrieval model meets in use.
"""

import logging
import math
import os.path
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from toolkit.data.manifest import (
    DEFAULT_COLUMNS,
    Manifest,
    Sample,
    label_order,
    manifest_text,
    read_manifest,
)
from toolkit.data.replace_files import replace_files, restore
from toolkit.errors import DatasetError

LOG = logging.getLogger(__name__)

SPLITS = ("train", "gallery", "query")
_TOLERANCE = 1e-6

# The rows of one picture (its duplicate lines) stay together.
_Group = list[Sample]


class OpenSetError(DatasetError):
    """Splitting by image would put the held-out classes of an open-set dataset into training."""


@dataclass(frozen=True)
class SplitOptions:
    """How to divide a dataset.

    Attributes:
        train_percent: share of the images (by image) or of the classes (by class), above 0.
        gallery_percent: share of the gallery, above 0.
        query_percent: share of the queries, above 0; the three add up to 100.
        by: "image" or "class".
        seed: fixes the outcome, whatever the order of the rows.
        force: divide an open-set dataset by image all the same.
    """

    train_percent: float
    gallery_percent: float
    query_percent: float
    by: Literal["image", "class"] = "image"
    seed: int = 0
    force: bool = False

    def __post_init__(self) -> None:
        percents = self.percents
        if not all(math.isfinite(percent) and percent > 0 for percent in percents):
            raise ValueError(
                "train_percent, gallery_percent and query_percent must be above 0, "
                f"got {self._listed()}."
            )
        if abs(sum(percents) - 100) > _TOLERANCE:
            raise ValueError(
                "train_percent, gallery_percent and query_percent must add up to 100, "
                f"got {self._listed()}, which is {sum(percents):g}."
            )
        if self.by not in ("image", "class"):
            raise ValueError(f"by must be 'image' or 'class', got {self.by!r}.")

    @property
    def percents(self) -> tuple[float, float, float]:
        """The three percents in the order of `SPLITS`."""
        return (self.train_percent, self.gallery_percent, self.query_percent)

    def _listed(self) -> str:
        return " + ".join(f"{percent:g}" for percent in self.percents)


@dataclass(frozen=True)
class Split:
    """A divided dataset.

    Attributes:
        samples: split name -> its rows, in class order and then by path.
        small_classes: classes with too few images to be in both gallery and query: under 3 by
            image (they are in train), 1 by class (they are in the gallery).
        backups: the originals that were kept, when files were written.
    """

    samples: dict[str, list[Sample]]
    small_classes: list[str]
    backups: list[Path]


def split_dataset(
    root: Path, options: SplitOptions, columns: Sequence[str] = DEFAULT_COLUMNS
) -> Split:
    """Divides the rows of the lists in a folder anew and rewrites the three lists.

    The rows of whichever of train.txt, gallery.txt and query.txt exist are taken together. The
    originals are kept (see `toolkit.data.replace_files`); either all three lists are replaced, or
    nothing has changed.

    Raises:
        OpenSetError: by image, no train class is in the gallery, and `options.force` is off.
        DatasetError: no list exists, a row is malformed (all are named), or the outcome would
            leave a list empty.
    """
    if restore(root):
        LOG.warning("%s: put back the lists of a split that was interrupted.", root)
    manifests = [
        read_manifest(root / f"{name}.txt", root=root, split=name, columns=columns)
        for name in SPLITS
        if root.joinpath(f"{name}.txt").exists()
    ]
    _check(root, manifests)
    if options.by == "image" and not options.force and is_open_set(manifests):
        raise OpenSetError(
            f"split.open_set: {root}: no class of train.txt is in the gallery, so this dataset is "
            "evaluated on classes that training does not see. Splitting by image would end that. "
            "Use CheckDataset.split.by: class, or CheckDataset.split.force: true if it is meant."
        )
    samples = [sample for manifest in manifests for sample in manifest.samples]
    split = divide(samples, options)
    texts = {f"{name}.txt": manifest_text(rows) for name, rows in split.samples.items()}
    return Split(split.samples, split.small_classes, replace_files(root, texts))


def is_open_set(manifests: Iterable[Manifest]) -> bool:
    """True when there are train rows and others, and no class is in both."""
    train: set[str] = set()
    others: set[str] = set()
    for manifest in manifests:
        (train if manifest.split == "train" else others).update(manifest.labels)
    return bool(train and others) and not train & others


def divide(samples: Iterable[Sample], options: SplitOptions) -> Split:
    """Divides samples without touching any file.

    Raises:
        DatasetError: the outcome would leave a list empty.
    """
    # Sorted first: the outcome depends on what is in the lists, not on how it is ordered.
    ordered = sorted(samples, key=lambda s: (s.path, s.label, s.camera or ""))
    classes: dict[str, dict[str, _Group]] = {}
    for sample in ordered:
        picture = os.path.normpath(sample.path)
        classes.setdefault(sample.label, {}).setdefault(picture, []).append(sample)
    groups = {label: list(classes[label].values()) for label in label_order(classes)}
    rng = np.random.default_rng(options.seed)
    parts, small = (_by_image if options.by == "image" else _by_class)(groups, options, rng)
    rows = {
        name: [sample for group in part for sample in group]
        for name, part in zip(SPLITS, parts, strict=True)
    }
    return Split(rows, small, [])


def _by_image(
    groups: Mapping[str, list[_Group]], options: SplitOptions, rng: np.random.Generator
) -> tuple[list[list[_Group]], list[str]]:
    small = [label for label, pictures in groups.items() if len(pictures) < len(SPLITS)]
    if len(small) == len(groups):
        raise DatasetError(
            "No class has 3 images, so nothing would be left for gallery and query. "
            "Add images, or split by class."
        )
    parts: list[list[_Group]] = [[], [], []]
    apportion = _Apportion(options.percents)
    for label, pictures in groups.items():
        counts = [len(pictures), 0, 0] if label in small else apportion(len(pictures))
        _deal(pictures, counts, parts, rng)
    return parts, small


def _by_class(
    groups: Mapping[str, list[_Group]], options: SplitOptions, rng: np.random.Generator
) -> tuple[list[list[_Group]], list[str]]:
    if len(groups) < 2:
        raise DatasetError(
            f"Splitting by class needs at least 2 classes, found {len(groups)}. Split by image."
        )
    num_train = round(len(groups) * options.train_percent / 100)
    num_train = min(max(num_train, 1), len(groups) - 1)
    labels = list(groups)
    train_labels = {labels[i] for i in rng.permutation(len(labels))[:num_train]}
    parts: list[list[_Group]] = [[], [], []]
    small = []
    apportion = _Apportion(options.percents[1:])
    for label, pictures in groups.items():
        if label in train_labels:
            parts[0].extend(pictures)
        elif len(pictures) < 2:
            small.append(label)
            parts[1].extend(pictures)
        else:
            _deal(pictures, [0, *apportion(len(pictures))], parts, rng)
    if not parts[2]:
        raise DatasetError(
            "No class outside training has 2 images, so no query would be left. "
            "Add images, or lower train_percent."
        )
    return parts, small


def _deal(
    pictures: list[_Group],
    counts: Sequence[int],
    parts: list[list[_Group]],
    rng: np.random.Generator,
) -> None:
    """Draws `counts[i]` of the pictures of a class into part i; each part keeps their order."""
    order = rng.permutation(len(pictures))
    start = 0
    for part, count in zip(parts, counts, strict=True):
        part.extend(pictures[i] for i in sorted(order[start : start + count]))
        start += count


class _Apportion:
    """Divides class after class by the same shares, so that the totals have these shares too.

    What rounding takes from a part in one class is owed to it in the next. No part of a class is
    empty: the classes that come here have at least as many images as there are parts.
    """

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = np.asarray(shares, dtype=np.float64) / sum(shares)
        self._owed = np.zeros(len(shares))

    def __call__(self, count: int) -> list[int]:
        wanted = self._shares * count + self._owed
        counts = np.maximum(np.floor(wanted).astype(int), 1)
        while counts.sum() < count:
            counts[np.argmax(wanted - counts)] += 1
        while counts.sum() > count:
            counts[np.argmax(np.where(counts > 1, counts - wanted, -np.inf))] -= 1
        self._owed = wanted - counts
        return [int(number) for number in counts]


def _check(root: Path, manifests: Sequence[Manifest]) -> None:
    if not manifests:
        raise DatasetError(
            f"{root} has none of train.txt, gallery.txt and query.txt; there is nothing to split."
        )
    problems = [
        f"{manifest.file}:{problem.line}: {problem.message}: {problem.text!r}"
        for manifest in manifests
        for problem in manifest.problems
    ]
    if problems:
        raise DatasetError(
            "\n".join(["Rows that cannot be read; mend or remove them, then split:", *problems])
        )
    if not any(manifest.samples for manifest in manifests):
        raise DatasetError(f"The lists in {root} have no rows; there is nothing to split.")
