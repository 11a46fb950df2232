"""From a model and the name of an endpoint to the engine that extracts it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paddle

from toolkit.build.card_network import card_config, embedding_network, published_weights
from toolkit.build.fetching import fetch_options
from toolkit.build.model import (
    build_recognizer,
    checkpoint_weights,
    load_trained,
    local_weights,
)
from toolkit.build.transforms import build_pipeline, image_size
from toolkit.cards.card import Card
from toolkit.cards.catalog import ALIASES, CARDS, model_card
from toolkit.cards.imagenet import unlisted_card
from toolkit.config.load import load_config
from toolkit.config.schema import Config
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import ImageSize, NormalizeImage, ToCHWImage
from toolkit.errors import ConfigError, ModelError
from toolkit.fetch.options import FetchOptions
from toolkit.inference.engines.endpoint import EndpointEngine
from toolkit.models.endpoint_tables import endpoints_of, find_endpoint
from toolkit.models.endpoints import Endpoint, EndpointNetwork, Pool
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES

AUTO, RANDOM = "auto", "random"
IMAGENET_CLASSES = 1000
_CONFIG = "config.yaml"
_FORMAT = 1


@dataclass(frozen=True)
class EndpointModel:
    """A model whose endpoints can be read.

    Attributes:
        config: its recipe.
        card: its card, if it is opened by name.
        checkpoint: the training output or checkpoint that ``auto`` means, if it is opened by path.
    """

    config: Config
    card: Card | None = None
    checkpoint: Path | None = None

    @property
    def name(self) -> str:
        """That of the network, which stands in the names of some endpoints."""
        if self.card is not None and self.card.kind == "backbone":
            return self.card.name
        return self.config.Arch.Backbone.name

    def network(self, *, classifier: bool = False) -> Recognizer:
        """Builds the network with random weights.

        Args:
            classifier: keep the ImageNet classifier.

        Raises:
            ConfigError: `classifier` is asked for, and the recipe's network has none.
        """
        part = self.config.Arch.Backbone
        if not classifier or part.options.get("class_num"):
            if self.card is not None:
                return embedding_network(self.card, self.config)
            return build_recognizer(self.config.Arch, num_classes=None)
        if self.card is None or self.card.kind != "backbone":
            raise ConfigError(
                f"The network of {self.config.Global.model!r} has no ImageNet classifier, so no "
                "logits, probabilities or classes. Name another endpoint, or set class_num in "
                "Arch.Backbone and give weights that have it."
            )
        options = {**part.options, "class_num": IMAGENET_CLASSES}
        return Recognizer(BACKBONES.build(part.name, **options))

    def weights(self, given: str, options: FetchOptions) -> Path:
        """Returns the weight file that ``auto``, a path or an address means.

        Raises:
            ModelError: ``auto``, and nothing is published.
            FetchError: it cannot be downloaded.
            ArchiveError: an archive is damaged or hostile.
            WeightsError: there is no such file.
        """
        if given != AUTO:
            return local_weights(given, options)
        if self.card is None:
            meant = self.checkpoint or Path(self.config.Global.output)
            is_output = (meant / _CONFIG).is_file() or self.checkpoint is None
            return checkpoint_weights(AUTO if is_output else str(meant), meant, options)
        if self.card.embedded:
            return local_weights(str(self.card.embedded_folder), options)
        url = self.card.pretrained_url if self.card.kind == "backbone" else self.card.weights_url
        if url is None:
            raise ModelError(
                f"No weights of {self.card.name!r} are published for Paddle. Give the file that "
                "you have as weights, or weights=random to try it without."
            )
        return published_weights(self.card, url, options)


def open_endpoint(
    model: str | Path | Config,
    feature_name: str = "feature",
    *,
    pool: Pool | None = None,
    weights: str = AUTO,
    seed: int = 0,
    threads: int | None = None,
    options: FetchOptions | None = None,
) -> EndpointEngine:
    """Opens the engine that extracts one endpoint of a model.

    Args:
        model: see `endpoint_model`.
        feature_name: one of `endpoint_names`; ``feature`` is what recognition calls so.
        pool: ``avg | max | gem`` over a map's places; None flattens the map.
        weights: ``auto`` for the published or trained ones, ``random``, or a path or address.
        seed: of random weights.
        threads: CPU threads of the network, 1 or more; None leaves that to Paddle.
        options: how and where to fetch; None takes what the configuration or environment says.

    Raises:
        ConfigError: the model has no such endpoint, or it cannot be pooled.
        ToolkitError: see `endpoint_model` and `EndpointModel.weights`.
    """
    found = endpoint_model(model)
    with _seeded(seed):
        network = found.network()
    endpoint = find_endpoint(network, found.name, feature_name)
    if endpoint.of_classifier:
        with _seeded(seed):
            network = found.network(classifier=True)
    if weights != RANDOM:
        load_trained(network, found.weights(weights, options or fetch_options(found.config)))
    steps = found.config.Data.eval_transforms
    pipeline = _pipeline_of(endpoint, build_pipeline(steps))
    ending = EndpointNetwork(network, endpoint, pool)
    ending.eval()
    measure = ending.measure(image_size(steps))
    return EndpointEngine(
        ending, pipeline, measure, _fingerprint(ending, pipeline), threads=threads
    )


def endpoint_names(model: str | Path | Config) -> list[str]:
    """Returns the names of a model's endpoints, in the order in which an image meets them."""
    found = endpoint_model(model)
    with _seeded(0):
        return list(endpoints_of(found.network(), found.name))


def endpoint_model(model: str | Path | Config) -> EndpointModel:
    """Finds a model.

    Args:
        model: the name of a card, or of a backbone without one (its pictures are prepared as is
            usual for ImageNet); the folder of a training run, or a checkpoint in it; the path of a
            YAML file; or a configuration.

    Raises:
        ModelError: there is no such card, and no such file or folder.
        ConfigError: the configuration cannot be read.
    """
    if isinstance(model, Config):
        return EndpointModel(model)
    if model in BACKBONES and model not in CARDS:
        card = unlisted_card(str(model))
        return EndpointModel(card_config(card), card)
    path = Path(model)
    known = model in CARDS or model in ALIASES
    if known or (not path.exists() and path.name == str(model)):
        card = model_card(str(model))
        return EndpointModel(card_config(card), card)
    if not path.exists():
        raise ModelError(
            f"{str(path)!r} does not exist; expected the output folder of a training run, a "
            "checkpoint in it, a YAML file, or the name of a model."
        )
    if path.suffix in (".yaml", ".yml"):
        return EndpointModel(load_config(path))
    for folder in (path, *path.absolute().parents[:2]):
        if (folder / _CONFIG).is_file():
            return EndpointModel(load_config(folder / _CONFIG), checkpoint=path)
    raise ModelError(
        f"{str(path)!r} has no {_CONFIG} beside it, so its network is not known. Give the output "
        "folder of a training run, or a model's name and this path as weights."
    )


def _pipeline_of(endpoint: Endpoint, prepared: Pipeline) -> Pipeline:
    if endpoint.takes == "size":
        return Pipeline([ImageSize()])
    if endpoint.takes == "pixels":
        return Pipeline([NormalizeImage(1.0, [0.0] * 3, [1.0] * 3), ToCHWImage()])
    return prepared


def _fingerprint(network: EndpointNetwork, pipeline: Pipeline) -> str:
    """Returns a short name for everything that decides what comes out."""
    facts = {
        "format": _FORMAT,
        "endpoint": network.endpoint.name,
        "pool": network.pool,
        "preprocessing": pipeline.describe(),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        array = tensor.numpy()
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draws initial weights from a seed, and leaves Paddle's generator as it was."""
    state = paddle.get_rng_state()
    paddle.seed(seed)
    try:
        yield
    finally:
        paddle.set_rng_state(state)
