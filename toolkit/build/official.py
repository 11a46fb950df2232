"""From a card to the folder of its inference model, ready to open."""

import logging
from pathlib import Path

import yaml

from toolkit.build.embedding import build_exporter
from toolkit.build.model import build_recognizer, kept_weights, load_pretrained, local_weights
from toolkit.cards.card import Card
from toolkit.config.schema import Config
from toolkit.errors import FetchError, ModelError
from toolkit.fetch.lock import locked
from toolkit.fetch.options import FetchOptions, ways_out
from toolkit.fetch.record import check_record, keep_record
from toolkit.inference.official import OWN_FOLDER, official_model
from toolkit.inference.preprocess import INFERENCE_FILE
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


def model_folder(card: Card, options: FetchOptions) -> Path:
    """Returns the folder of a model's export: in this package, on this machine, or downloaded.

    Backbones are published as weights; the export is made of them once and kept in the cache.

    Raises:
        ModelError: nothing is published that could be opened.
        FetchError: it cannot be downloaded, the message has the ways out; or what was made of it
            before is not the same any more.
        WeightsError: the weights are not those of the network.
    """
    if card.kind == "recognition":
        return official_model(card, options)
    folder = options.model_folders()[0] / card.name
    if (folder / INFERENCE_FILE).is_file():
        check_record(folder, verify=options.verify)
        return folder
    url = card.pretrained_url
    if url is None:
        raise ModelError(
            f"No weights of {card.name!r} are published for Paddle. Bring a file of yours: "
            f"Global.model={card.name}, Arch.Neck=null, Export.weight_path=FILE, "
            "Global.mode=export; then open the folder that it writes."
        )
    with locked(folder):
        if not (folder / INFERENCE_FILE).is_file():
            _export(card, _published_weights(card, url, options), folder)
            keep_record(folder, url)
    return folder


def _published_weights(card: Card, url: str, options: FetchOptions) -> Path:
    """Returns the weights of a backbone, downloaded if need be."""
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


def _export(card: Card, weights: Path, folder: Path) -> None:
    config = card_config(card)
    network = embedding_network(card, config)
    load_pretrained(network, weights)
    _LOG.info("Exporting %s to %s, once.", card.name, folder)
    with atomic_directory(folder) as temporary:
        build_exporter(config, network)(temporary)
