"""Gives the classes of several datasets numbers that do not collide."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from toolkit.data.manifest import label_order

TRAIN = "train"


def number_labels(parts: Sequence[Mapping[str, AbstractSet[str]]]) -> list[dict[str, int]]:
    """Numbers the labels of each dataset, in one row of numbers from 0 without a gap.

    The labels of train come first, dataset after dataset, so that a class head needs as many rows
    as train has classes; then come those that only gallery or query have, dataset after dataset.
    Within a dataset they keep their order (whole numbers by value, then text), so that labels which
    are 0, 1, 2, ... are moved by one offset.

    Args:
        parts: for each dataset list name -> the labels in that list.

    Returns:
        For each dataset label -> number.
    """
    numbers: list[dict[str, int]] = [{} for _ in parts]
    total = 0
    for of_train in (True, False):
        for part, known in zip(parts, numbers, strict=True):
            wanted = {
                label
                for name, labels in part.items()
                if (name == TRAIN) == of_train
                for label in labels
            }
            for label in label_order(wanted - known.keys()):
                known[label] = total
                total += 1
    return numbers
