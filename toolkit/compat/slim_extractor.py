"""A network of TensorFlow-slim as the model of an extraction."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toolkit.build.model_to_open import OpenModel
from toolkit.cards.tensorflow_checkpoint import open_checkpoint
from toolkit.cards.tensorflow_slim import SlimModel, slim_model
from toolkit.compat.slim_network import build_slim, slim_layer
from toolkit.compat.slim_pictures import slim_pipeline
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import import_optional
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.engines.engine import Stream, Takes
from toolkit.runtime import use_device


@dataclass(frozen=True)
class SlimExtractor:
    """A loaded network, which is an engine, and how pictures enter it.

    Attributes:
        model: what is known of the network.
        layer: slim's name of the layer that the vectors are the output of.
        pipeline: uint8 RGB pixels [h, w, 3] to float32 [3, side, side].
        network: our network, a Paddle layer in evaluation mode.
    """

    model: SlimModel
    layer: str
    pipeline: Pipeline
    network: Any

    takes: ClassVar[Takes] = "tensor"

    @property
    def dim(self) -> int:
        """Returns how many values a vector has."""
        dim: int = self.network.out_features
        return dim

    def run(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps a batch [b, 3, side, side] to vectors [b, dim], as the layer gives them."""
        paddle = import_optional("paddle", purpose="Running a network")
        with paddle.no_grad():
            vectors: NDArray[np.float32] = self.network(paddle.to_tensor(tensors)).numpy()
        return vectors

    def streams(self) -> Sequence[Stream]:
        """Returns the one function that there is."""
        return [self.run]


def open_slim(
    name: str, checkpoint_file: Path | str, *, layer: str | None = None, legacy: bool = False
) -> SlimExtractor:
    """Builds a network of slim, loads a checkpoint into it, and says how pictures enter it.

    Args:
        name: of the network, such as ``inception_v1``.
        checkpoint_file: as for `open_checkpoint`.
        layer: slim's name of a layer; None takes the one that Compute-Features takes.
        legacy: prepare pictures as Compute-Features does: squashed, levels 0 to 255 as they are.

    Raises:
        ModelError: the network is not known.
        ConfigError: the layer is not known.
        WeightsError: the checkpoint cannot be read, or is of another network.
        ExtraError: PaddlePaddle is not installed.
    """
    model = slim_model(name)
    chosen = slim_layer(model, layer)
    network = build_slim(model, chosen, open_checkpoint(checkpoint_file))
    return SlimExtractor(model, chosen, slim_pipeline(model, legacy=legacy), network)


@dataclass(frozen=True)
class SlimModelToOpen:
    """A network of slim that is known and not open yet.

    Attributes:
        name: of the network.
        checkpoint_file: as for `open_checkpoint`.
        layer: slim's name of a layer; None takes the one that Compute-Features takes.
        legacy: prepare pictures as Compute-Features does.
        device: ``auto | cpu | gpu | gpu:0``.
    """

    name: str
    checkpoint_file: str
    layer: str | None
    legacy: bool
    device: str

    def open(self) -> OpenModel:
        """See `toolkit.build.model_to_open.ModelToOpen`."""
        use_device(self.device)
        extractor = open_slim(self.name, self.checkpoint_file, layer=self.layer, legacy=self.legacy)
        return OpenModel(extractor, extractor.pipeline)

    def identity(self) -> dict[str, Any]:
        """See `toolkit.build.model_to_open.ModelToOpen`."""
        model = slim_model(self.name)
        layer = slim_layer(model, self.layer)
        files = open_checkpoint(self.checkpoint_file).files
        return {
            "name": f"{self.name} {layer}",
            "weights": "+".join(fingerprint_file(file) for file in files),
            "preprocessing": "legacy" if self.legacy else "slim",
            "device": self.device,
        }
