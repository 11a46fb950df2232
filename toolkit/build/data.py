"""From `Data` and list files to training batches, and to lists for evaluation."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.audit.dataset import load_lists
from toolkit.build.fetching import fetch_options
from toolkit.build.known_classes import known_classes
from toolkit.build.lists import list_files
from toolkit.build.recipe.check import require_sound_recipe
from toolkit.build.recipe.finding import Recipe, RecipeFinding
from toolkit.build.transforms import build_pipeline
from toolkit.config.schema import Config
from toolkit.data.dataset import ImageDataset
from toolkit.data.manifest import Manifest, label_order
from toolkit.data.picture_cache import CachePlan, open_picture_cache
from toolkit.data.picture_files import PictureFiles
from toolkit.data.picture_folder import PictureFolder
from toolkit.data.samplers import Sampler
from toolkit.data.shared_sampler import SharedSampler
from toolkit.distributed.group import first_then_others, process_count, process_rank
from toolkit.errors import ConfigError, DatasetError
from toolkit.registry import SAMPLERS
from toolkit.runtime import cores_allowed
from toolkit.training.loader import BatchLoader

_LOG = logging.getLogger(__name__)
_TURNS = 4
_PICTURES = "pictures"


@dataclass(frozen=True)
class TrainingData:
    """What training reads.

    Attributes:
        loader: batches of pictures by epoch.
        dataset: the pictures.
        sampler: which of them form which batch.
        paths: the files, one a row of the list.
        classes: the labels as written in the list, and those that the run's checkpoint knows; the
            class index is the place in this list.
        num_outputs: rows of the class head.
        num_images: rows of the list.
        findings: what of the recipe is unlikely to go with it.
    """

    loader: BatchLoader
    dataset: ImageDataset
    sampler: Sampler
    paths: list[Path]
    classes: list[str]
    num_outputs: int
    num_images: int
    findings: list[RecipeFinding]


def read_split(config: Config, split: str) -> Manifest:
    """Reads one list; its malformed rows are logged, each with its line.

    Raises:
        DatasetError: the list is missing or has no usable row.
    """
    (manifest,) = load_lists(list_files(config, [split])).manifests
    for problem in manifest.problems:
        _LOG.warning("%s, line %d left out: %s", manifest.file, problem.line, problem.message)
    if not manifest.samples:
        raise DatasetError(f"{manifest.file} has no usable row; expected `path label` rows.")
    return manifest


def build_training_data(config: Config) -> TrainingData:
    """Builds the loader of train.txt.

    Raises:
        ConfigError: something of the recipe cannot work with the data.
    """
    manifest = read_split(config, "train")
    classes = label_order([*manifest.labels, *known_classes(config)])
    index = {label: number for number, label in enumerate(classes)}
    turns = _TURNS if config.Data.rotate_classes else 1
    num_classes = len(classes)
    if config.Train.num_classes != "auto":
        num_classes = config.Train.num_classes
        if num_classes < len(classes):
            raise ConfigError(
                f"Train.num_classes is {num_classes} and {manifest.file} has {len(classes)} "
                f"labels: set it to {len(classes)} or more, or to auto."
            )
    paths = [manifest.resolve(sample) for sample in manifest.samples]
    dataset = ImageDataset(
        paths,
        [index[sample.label] for sample in manifest.samples],
        build_pipeline(config.Data.train_transforms),
        seed=config.Global.seed,
        rotate_classes=config.Data.rotate_classes,
    )
    dataset.folder = PictureFolder(paths, 60 * config.Data.wait_minutes)
    findings = list[RecipeFinding]()
    if config.Train.adapter in (None, "linear"):  # the others are no training
        findings = require_sound_recipe(
            Recipe(
                config,
                _class_sizes(dataset),
                len(dataset),
                num_classes * turns,
                num_processes=process_count(),
            )
        )
    sampler = build_sampler(config, dataset.labels)
    return TrainingData(
        BatchLoader(dataset, sampler, num_workers(config)),
        dataset,
        sampler,
        paths,
        classes,
        num_outputs=num_classes * turns,
        num_images=len(manifest.samples),
        findings=findings,
    )


def _class_sizes(dataset: ImageDataset) -> NDArray[np.int64]:
    """Returns the pictures of each class that has any; a head may know more classes."""
    return np.unique(dataset.labels, return_counts=True)[1].astype(np.int64)


def build_sampler(config: Config, labels: Sequence[int] | NDArray[np.int64]) -> Sampler:
    """Builds what names the pictures of each batch; of several processes, those of this one.

    Args:
        config: Train.batch_size is that of one process.
        labels: class index of each item.

    Raises:
        ConfigError: the batch size does not go with the data.
    """
    count = process_count()
    try:
        whole: Sampler = SAMPLERS.build(
            config.Data.sampler.name,
            labels=labels,
            batch_size=config.Train.batch_size * count,
            seed=config.Global.seed,
            **config.Data.sampler.options,
        )
    except ConfigError as error:
        if count == 1:
            raise
        raise ConfigError(
            f"{error} This batch_size is that of the {count} processes together: Train.batch_size "
            f"is {config.Train.batch_size} for each."
        ) from error
    return whole if count == 1 else SharedSampler(whole, process_rank(), count)


def keep_pictures(config: Config, files: PictureFiles, *, epochs: int) -> None:
    """Lets the training pictures be decoded only once where that pays; changes no pixel.

    Args:
        config: Data.cache_mib is how large the file may become.
        files: what training reads.
        epochs: how often each picture is going to be read.
    """
    plan = CachePlan(
        fetch_options(config).cache / _PICTURES,
        limit=config.Data.cache_mib << 20,
        epochs=epochs,
        workers=max(1, num_workers(config)),
    )

    def keep() -> None:
        files.cache = open_picture_cache(files.pictures(), plan)

    first_then_others(keep)


def num_workers(config: Config) -> int:
    """Returns Data.num_workers as a number."""
    given = config.Data.num_workers
    return cores_allowed() if given == "auto" else given
