"""From `Data` and list files to training batches, and to lists for evaluation."""

import logging
from dataclasses import dataclass

from toolkit.audit.dataset import load_lists
from toolkit.build.lists import list_files
from toolkit.build.transforms import build_pipeline
from toolkit.config.schema import Config
from toolkit.data.dataset import ImageDataset
from toolkit.data.manifest import Manifest, label_order
from toolkit.data.samplers import Sampler
from toolkit.errors import ConfigError, DatasetError
from toolkit.registry import SAMPLERS
from toolkit.runtime import cores_allowed
from toolkit.training.loader import BatchLoader

_LOG = logging.getLogger(__name__)
_TURNS = 4


@dataclass(frozen=True)
class TrainingData:
    """What training reads.

    Attributes:
        loader: batches by epoch.
        classes: the labels as written in the list; the class index is the place in this list.
        num_outputs: rows of the class head.
        num_images: rows of the list.
    """

    loader: BatchLoader
    classes: list[str]
    num_outputs: int
    num_images: int


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
        ConfigError: Train.num_classes or Train.batch_size does not go with the data.
    """
    manifest = read_split(config, "train")
    classes = label_order(manifest.labels)
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
    dataset = ImageDataset(
        [manifest.resolve(sample) for sample in manifest.samples],
        [index[sample.label] for sample in manifest.samples],
        build_pipeline(config.Data.train_transforms),
        seed=config.Global.seed,
        rotate_classes=config.Data.rotate_classes,
    )
    sampler: Sampler = SAMPLERS.build(
        config.Data.sampler.name,
        labels=dataset.labels,
        batch_size=config.Train.batch_size,
        seed=config.Global.seed,
        **config.Data.sampler.options,
    )
    return TrainingData(
        BatchLoader(dataset, sampler, num_workers(config)),
        classes,
        num_outputs=num_classes * turns,
        num_images=len(manifest.samples),
    )


def num_workers(config: Config) -> int:
    """Returns Data.num_workers as a number."""
    given = config.Data.num_workers
    return cores_allowed() if given == "auto" else given
