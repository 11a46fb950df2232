"""From `Train.freeze_backbone` to a network in two phases, its features and its evaluation."""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from paddle import Tensor

from toolkit.build.data import TrainingData, num_workers
from toolkit.build.embedding import build_embedder
from toolkit.build.feature_files import read_features
from toolkit.build.fetching import fetch_options
from toolkit.build.transforms import build_pipeline, image_size
from toolkit.config.schema import Config
from toolkit.data.picture_cache import decoder_versions
from toolkit.errors import ConfigError
from toolkit.evaluation.trial import Embed
from toolkit.inference.embed import EmbeddedPaths, Failure
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import cores_allowed, resolve_device
from toolkit.training.backbone_reader import backbone_reader
from toolkit.training.feature_store import SUFFIX, FeatureStore
from toolkit.training.frozen import FeatureLoader, FrozenRecognizer, PhasedLoader, Phases
from toolkit.training.known_features import KnownFeatures
from toolkit.training.learner import Learner, Loader, state_arrays

_LOG = logging.getLogger(__name__)

_FOLDER = "features"

Features = FeatureStore | KnownFeatures
"""Gives what the frozen backbone computes for pictures."""


def build_phases(config: Config) -> Phases:
    """Returns which epochs are trained with a frozen backbone.

    Raises:
        ConfigError: `Train.unfreeze_at` leaves no frozen epoch.
    """
    train = config.Train
    if train.unfreeze_at == 1:
        raise ConfigError(
            "Train.unfreeze_at is 1, so the backbone would never be frozen: give 2 or more, or set "
            "Train.freeze_backbone to false."
        )
    return Phases(train.unfreeze_at, train.unfreeze_lr_factor)


def freeze(config: Config, network: Recognizer) -> FrozenRecognizer:
    """Makes a network one whose backbone is frozen first.

    Raises:
        ConfigError: it has a teacher, or a neck that reads every map of the backbone.
    """
    reads = getattr(network.neck, "reads", "feature")
    if reads == "maps" and config.Arch.Neck is not None:
        raise ConfigError(
            f"Train.freeze_backbone does not go with the neck {config.Arch.Neck.name}: it reads "
            "all maps of the backbone, which are too large to be stored for every picture. Choose "
            "a neck that reads the feature (FC, BNNeck) or the last map (GeM)."
        )
    if config.Arch.Teacher is not None:
        raise ConfigError(
            "Train.freeze_backbone does not go with Arch.Teacher: a teacher needs the pictures, "
            "and a frozen backbone is trained behind without them. Leave out one of the two."
        )
    starts = config.Train.pretrain_weight_path or config.Train.resume_path or config.Train.adapter
    if starts is None:
        _LOG.warning(
            "The backbone is frozen with random weights: neck and head learn from random features. "
            "Give weights as Train.pretrain_weight_path."
        )
    if config.Train.unfreeze_at is None:
        # The optimizer then holds nothing for what is never trained.
        for parameter in network.backbone.parameters():
            parameter.stop_gradient = True
    return FrozenRecognizer(network)


def phase_in(phases: Phases, learner: Learner, steps_per_epoch: int) -> None:
    """Makes a learner of a frozen network follow the phases; changed in place."""
    if isinstance(learner.model, FrozenRecognizer):
        learner.schedule = phases.schedule(learner.schedule, steps_per_epoch)
        learner.before_epoch = phases.switch(learner.model, learner.average)


def build_feature_store(config: Config, model: FrozenRecognizer) -> Features:
    """Builds the store of the backbone's features, with the weights as they are now.

    Raises:
        ToolkitError: `Adapter.features` cannot be read.
    """
    size = image_size(config.Data.eval_transforms)
    device = resolve_device(config.Global.device)
    folder = fetch_options(config).cache / _FOLDER
    store = FeatureStore(
        folder / (_fingerprint(config, model) + SUFFIX),
        build_pipeline(config.Data.eval_transforms),
        lambda: backbone_reader(model, size, device, cores_allowed()),
        workers=num_workers(config),
        limit=config.Data.cache_mib << 20,
    )
    given = config.Adapter.features
    if config.Train.adapter is None or given is None:
        return store
    return KnownFeatures(read_features(config, Path(given)), store, given)


def build_phased_loader(
    config: Config, data: TrainingData, store: Features, start_epoch: int
) -> PhasedLoader:
    """Computes the features of the training pictures, if a frozen epoch is left."""
    phases = build_phases(config)
    features: Loader | None = None
    if phases.frozen(start_epoch):
        stored = store.features(data.paths, turned=config.Data.rotate_classes)
        features = FeatureLoader(stored, data.dataset.labels, data.sampler)
    return PhasedLoader(phases, features, data.loader)


def build_frozen_embedder(config: Config, model: FrozenRecognizer, store: Features) -> Embed:
    """Returns paths -> features; while the backbone is frozen only the neck is computed anew."""
    whole = build_embedder(config, model)
    behind = NetworkEngine(_Behind(model))
    known: dict[Path, NDArray[np.float32] | str] = {}

    def embed(paths: list[Path]) -> EmbeddedPaths:
        if not model.frozen:
            return whole(paths)
        new = [path for path in paths if path not in known]
        if new:
            found = store.features(new)
            known.update(
                (path, found.failures[place] if row is None else row)
                for place, (path, row) in enumerate(zip(new, found.rows, strict=True))
            )
        return _embedded([known[path] for path in paths], behind, config.Evaluate.batch_size)

    return embed


class _Behind(Recognizer):
    """What stands behind the backbone, as a network whose images are the stored features."""

    def __init__(self, model: Recognizer) -> None:
        super().__init__(model.backbone, model.neck)

    def embed(self, images: Tensor) -> Tensor:
        return self.embedding_of(images)


def _embedded(
    known: list[NDArray[np.float32] | str], behind: NetworkEngine, batch_size: int
) -> EmbeddedPaths:
    rows = [row for row, entry in enumerate(known) if not isinstance(entry, str)]
    read = [entry for entry in known if not isinstance(entry, str)]
    vectors = [
        unit_vectors(behind.run(np.stack(read[start : start + batch_size])))
        for start in range(0, len(read), batch_size)
    ]
    return EmbeddedPaths(
        np.concatenate(vectors) if vectors else np.empty((0, 0), dtype=np.float32),
        np.array(rows, dtype=np.int64),
        [Failure(row, entry) for row, entry in enumerate(known) if isinstance(entry, str)],
    )


def _fingerprint(config: Config, model: FrozenRecognizer) -> str:
    """Returns a name for all that decides what the backbone gives for the bytes of a file."""
    digest = hashlib.sha256()
    facts = {
        "backbone": config.Arch.Backbone.name,
        "options": config.Arch.Backbone.options,
        "reads": getattr(model.neck, "reads", "feature"),
        "steps": build_pipeline(config.Data.eval_transforms).describe(),
        "decoders": decoder_versions(),
    }
    if config.Train.adapter is not None:  # what is frozen then is all of Arch
        facts["neck"] = str(config.Arch.Neck)
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, array in sorted(state_arrays(model.backbone).items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
