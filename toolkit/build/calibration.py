"""From train.txt to the pictures that int8 is calibrated on."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.build.data import read_split
from toolkit.build.transforms import build_pipeline
from toolkit.config.schema import Config
from toolkit.data.decode import read_rgb
from toolkit.data.manifest import Manifest
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import DatasetError, ImageError

_LOG = logging.getLogger(__name__)


def read_calibration_images(config: Config) -> NDArray[np.uint8]:
    """Reads `Export.calibration_images` pictures, prepared as for evaluation up to uint8.

    Returns:
        uint8 RGB [n, h, w, 3]; n is less where train.txt has fewer pictures that can be read.

    Raises:
        DatasetError: the list is not there, or none of its pictures can be read.
    """
    manifest = read_split(config, "train")
    order = spread_over_classes(manifest.labels, np.random.default_rng(config.Global.seed))
    steps = build_pipeline(config.Data.eval_transforms).geometry()
    images = list(islice(_readable(manifest, order, steps), config.Export.calibration_images))
    if not images:
        raise DatasetError(
            f"None of the {len(order)} pictures of {manifest.file} can be read, and int8 is "
            "calibrated on them. Run the mode check_dataset."
        )
    return np.stack(images)


def spread_over_classes(labels: Sequence[str], rng: np.random.Generator) -> list[int]:
    """Returns all rows in an order whose every beginning is as even over the classes as can be.

    Args:
        labels: [n] the class of each row.
        rng: draws the order of the classes, and of the rows of a class.
    """
    seen: Counter[str] = Counter()
    turns: dict[int, int] = {}
    for row in map(int, rng.permutation(len(labels))):
        turns[row] = seen[labels[row]]
        seen[labels[row]] += 1
    return sorted(turns, key=turns.__getitem__)  # within a turn the order of the draw stays


def _readable(manifest: Manifest, order: Sequence[int], steps: Pipeline) -> Iterator[NDArray[Any]]:
    for row in order:
        picture = _prepared(manifest.resolve(manifest.samples[row]), steps)
        if picture is not None:
            yield picture


def _prepared(path: Path, steps: Pipeline) -> NDArray[Any] | None:
    try:
        return steps(read_rgb(path), np.random.default_rng(0))
    except ImageError as error:
        _LOG.warning("Not calibrated on: %s", error)
        return None
