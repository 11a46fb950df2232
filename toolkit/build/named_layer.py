"""A named layer of a network as the model of an extraction."""

from dataclasses import dataclass
from typing import Any

from toolkit.build.endpoints import open_endpoint
from toolkit.build.model_to_open import ModelSource, OpenModel
from toolkit.config.extract_section import ExtractSection
from toolkit.errors import ConfigError
from toolkit.inference.engines.endpoint import EndpointEngine
from toolkit.models.endpoints import Pool
from toolkit.runtime import prepare_paddle, use_device


@dataclass(frozen=True)
class NamedLayer:
    """One layer of a network that is built and loaded where it is opened; runs in Paddle.

    Attributes:
        model: see `toolkit.build.endpoints.endpoint_model`.
        feature_name: the layer.
        pool: how a map becomes a vector, or None.
        weights: ``auto``, ``random``, or a file.
        seed: of random weights.
        threads: CPU threads of the network.
        device: ``auto | cpu | gpu | gpu:0``.
    """

    model: Any
    feature_name: str
    pool: Pool | None
    weights: str
    seed: int
    threads: int
    device: str

    def open(self) -> OpenModel:
        """See `ModelToOpen`."""
        engine = self.open_engine()
        return OpenModel(engine, engine.pipeline, varying=engine.length is None)

    def identity(self) -> dict[str, Any]:
        """See `ModelToOpen`."""
        return {
            "name": f"{_name(self.model)} {self.feature_name}",
            "weights": self.open_engine().fingerprint,
            "device": self.device,
        }

    def open_engine(self) -> EndpointEngine:
        """Builds the network, loads its weights, and ends it at the layer."""
        prepare_paddle()
        use_device(self.device)
        return open_endpoint(
            self.model,
            self.feature_name,
            pool=self.pool,
            weights=self.weights,
            seed=self.seed,
            threads=self.threads,
        )


def named_layer(section: ExtractSection, source: ModelSource) -> NamedLayer:
    """Returns the layer that a section names, after a look at whether it can be had.

    Raises:
        ConfigError: there is no such layer, or other settings do not go with it.
        ToolkitError: the weights cannot be had.
    """
    if section.engine not in ("auto", "paddle"):
        raise ConfigError(
            f"Extract.engine is {section.engine!r}, and named layers run in Paddle; leave it out."
        )
    layer = NamedLayer(
        source.named,
        section.feature_name,
        None if section.pool == "none" else section.pool,
        section.weights,
        source.seed,
        section.predict_threads,
        source.device,
    )
    engine = layer.open_engine()
    if engine.largest_batch is not None and section.batch_size > engine.largest_batch:
        raise ConfigError(
            f"Extract.feature_name {section.feature_name!r} gives pictures of any size, one at a "
            f"time; Extract.batch_size is {section.batch_size}. Set it to 1."
        )
    if section.l2_normalise and engine.dtype != "float32":
        raise ConfigError(
            f"Extract.l2_normalise is true, and {section.feature_name!r} gives whole numbers."
        )
    return layer


def _name(model: Any) -> str:
    return str(getattr(getattr(model, "Global", None), "model", model))
