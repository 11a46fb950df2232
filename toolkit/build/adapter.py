"""From `Train.adapter` to a map that is fitted behind a frozen network, before and after."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.build.card_network import published_weights
from toolkit.build.data import TrainingData
from toolkit.build.fetching import fetch_options
from toolkit.build.frozen import Features, build_frozen_embedder
from toolkit.build.model import load_trained, local_weights
from toolkit.cards.catalog import CARDS
from toolkit.cards.weight_sources import find_weights
from toolkit.cards.weights import read_weights
from toolkit.config.schema import Config
from toolkit.errors import ConfigError, DatasetError, WeightsError
from toolkit.evaluation.before_after import BeforeAfter
from toolkit.evaluation.trial import RetrievalTrial
from toolkit.index.whitening import Whitening
from toolkit.models.adapter import LinearAdapter, UnitFeatures
from toolkit.models.recognizer import Recognizer
from toolkit.training.ema import borrowed_weights
from toolkit.training.frozen import FrozenRecognizer

_LOG = logging.getLogger(__name__)


def adapter_weights(config: Config) -> Path:
    """Returns the weights of the network that an adapter stands behind, fetched if need be.

    Raises:
        ConfigError: there are none: an adapter to random weights adapts nothing.
        FetchError: they cannot be downloaded.
        WeightsError: there is no such file.
    """
    given, options = config.Train.pretrain_weight_path, fetch_options(config)
    if given is not None:
        return local_weights(given, options)
    card = CARDS.get(config.Global.model)
    if card is not None and card.embedded:
        return find_weights(card.embedded_folder)
    url = None
    if card is not None:
        url = card.pretrained_url if card.kind == "backbone" else card.weights_url
    if card is None or url is None:
        raise ConfigError(
            f"Train.adapter is {config.Train.adapter}, and no weights of {config.Global.model} are "
            "published: give those of the model to adapt as Train.pretrain_weight_path."
        )
    return published_weights(card, url, options)


def load_adapted(config: Config, model: Recognizer, file: Path) -> None:
    """Puts the weights of a model into the network that an adapter stands behind.

    Raises:
        WeightsError: they are not those of the whole network.
    """
    if not isinstance(model.backbone, UnitFeatures):
        raise TypeError("the network has no adapter")
    try:
        load_trained(model.backbone.network, file)
    except WeightsError as error:
        if config.Arch.Neck is None:
            raise
        raise WeightsError(
            f"{error} An adapter stands behind a whole trained model; for weights of a backbone "
            "alone set Arch.Neck to null."
        ) from error


def fit_adapter(
    config: Config, model: FrozenRecognizer, data: TrainingData, features: Features
) -> None:
    """Fits the map on the features of the training pictures; changed in place.

    Where it is going to be trained, this is what training begins with.

    Raises:
        DatasetError: too few pictures could be read.
        VectorIndexError: there are too few for this dimension.
    """
    found = features.features(data.paths, turned=config.Data.rotate_classes)
    read = [place for place, row in enumerate(found.rows) if row is not None]
    for reason in found.failures.values():
        _LOG.warning("Left out of the adapter: %s", reason)
    if not read:
        raise DatasetError("No training picture could be read, so there is nothing to fit on.")
    vectors = np.stack([row for row in found.rows if row is not None])
    learned = _learned(config, vectors, np.asarray(data.dataset.labels)[read])
    adapter = model.neck
    if isinstance(adapter, LinearAdapter):
        adapter.set(learned.mean, learned.matrix)
    _LOG.info(
        "The adapter (%s, %d to %d numbers) is fitted on %d pictures.",
        *(config.Train.adapter, *learned.matrix.shape, len(vectors)),
    )


def build_comparison(
    config: Config, model: FrozenRecognizer, features: Features, trial: RetrievalTrial
) -> Callable[[Path], BeforeAfter]:
    """Returns a function of the adapted weights: the model without its adapter, and with it."""
    plain = FrozenRecognizer(Recognizer(model.backbone))

    def compare(weights: Path) -> BeforeAfter:
        before = trial.run(build_frozen_embedder(config, plain, features)).result
        with borrowed_weights(model, read_weights(weights)):
            after = trial.run(build_frozen_embedder(config, model, features)).result
        return BeforeAfter.of(before, after, np.random.default_rng(config.Global.seed))

    return compare


def _learned(config: Config, vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> Whitening:
    section, width = config.Adapter, vectors.shape[1]
    dimension = section.dimension or width
    if config.Train.adapter == "linear" and dimension == width:
        # Turning changes no angle: training begins with the features around their mean.
        return Whitening(vectors.mean(0), np.eye(width, dtype=np.float32))
    if config.Train.adapter == "whitening" and section.learned_from == "labels":
        return Whitening.learned_from_classes(
            vectors, labels, dimension, shrinkage=section.shrinkage
        )
    strength = section.strength if config.Train.adapter == "whitening" else 0.0
    return Whitening.learned(vectors, dimension, strength=strength, shrinkage=section.shrinkage)
