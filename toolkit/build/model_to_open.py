"""What an extraction knows of its model before it is opened, and what it has afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from toolkit.data.transforms.pipeline import Pipeline
from toolkit.inference.engines.engine import Engine


@dataclass(frozen=True)
class OpenModel:
    """A model that is ready.

    Attributes:
        engine: the network.
        steps: RGB pixels to what it takes.
        varying: features are of different lengths.
    """

    engine: Engine
    steps: Pipeline
    varying: bool = False


class ModelToOpen(Protocol):
    """A model that is known and not open yet; it is sent to workers, so it holds no network."""

    def open(self) -> OpenModel:
        """Opens it.

        Raises:
            ToolkitError: it cannot be opened.
        """

    def identity(self) -> dict[str, Any]:
        """Returns what decides on its features: names and fingerprints."""


@dataclass(frozen=True)
class ModelSource:
    """Where the model of an extraction comes from.

    Attributes:
        directory: finds the exported model.
        named: whose layers a name means: see `toolkit.build.endpoints.endpoint_model`.
        device: ``auto | cpu | gpu | gpu:0``.
        seed: of random weights.
    """

    directory: Callable[[], Path]
    named: Any
    device: str
    seed: int = 0
