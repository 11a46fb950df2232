"""All that a loop over pictures needs of a network of TensorFlow-slim.

``pipeline`` makes a tensor of a picture, and the extractor makes vectors of a batch of tensors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.cards.tensorflow_checkpoint import open_checkpoint
from toolkit.cards.tensorflow_slim import SlimModel, slim_model
from toolkit.compat.slim_network import build_slim, slim_layer
from toolkit.compat.slim_pictures import slim_pipeline
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import import_optional


@dataclass(frozen=True)
class SlimExtractor:
    """A loaded network and how pictures enter it.

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

    @property
    def dim(self) -> int:
        """Returns how many values a vector has."""
        dim: int = self.network.out_features
        return dim

    def __call__(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps a batch [b, 3, side, side] to vectors [b, dim], as the layer gives them."""
        paddle = import_optional("paddle", purpose="Running a network")
        with paddle.no_grad():
            vectors: NDArray[np.float32] = self.network(paddle.to_tensor(tensors)).numpy()
        return vectors


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
