"""From a card to its network, and to the export that is made of published weights."""

import logging
from pathlib import Path

import yaml

from toolkit.build.embedding import build_exporter
from toolkit.build.model import build_recognizer, kept_weights, load_pretrained, local_weights
from toolkit.cards.card import Card
from toolkit.config.schema import Config
from toolkit.errors import FetchError
from toolkit.fetch.options import FetchOptions, ways_out
from toolkit.inference.official import OWN_FOLDER
from toolkit.models.recognizer import Recognizer
from toolkit.storage import atomic_directory

_LOG = logging.getLogger(__name__)


def card_config(card: Card) -> Config:
    """Returns the recipe of a card as a configuration."""
    recipe = yaml.safe_load(card.recipe)
    return Config.model_validate({"Global": {"model": card.name}, **recipe})


def embedding_network(card: Card, config: Config) -> Recognizer:
    """Builds the network that gives the card's embedding, with random weights.

    A backbone's embedding is its feature; the neck of its recipe is for training.
    """
    network = build_recognizer(config.Arch, num_classes=None)
    return Recognizer(network.backbone) if card.kind == "backbone" else network


def export_published(card: Card, url: str, folder: Path, options: FetchOptions) -> None:
    """Writes the export of a backbone whose weights are published.

    Raises:
        FetchError: they cannot be downloaded, the message has the ways out.
        WeightsError: they are not those of the network.
    """
    weights = published_weights(card, url, options)
    config = card_config(card)
    network = embedding_network(card, config)
    load_pretrained(network, weights)
    _LOG.info("Exporting %s to %s, once.", card.name, folder)
    with atomic_directory(folder) as temporary:
        build_exporter(config, network)(temporary)


def published_weights(card: Card, url: str, options: FetchOptions) -> Path:
    """Returns the file of a card's weights, downloaded if need be.

    Raises:
        FetchError: it cannot be downloaded, the message has the ways out.
    """
    kept = kept_weights(url, options)
    try:
        return local_weights(url, options)
    except FetchError as error:
        if kept.is_file():  # there, and not what it was
            raise
        raise FetchError(
            f"The weights of {card.name!r} are not on this machine (looked for {str(kept)!r}) and "
            f"cannot be downloaded. {error.reason}",
            ways_out(OWN_FOLDER, f"put the file from {url} at {str(kept)!r} by hand"),
        ) from error
