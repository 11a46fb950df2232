"""A network in memory as an engine: evaluation while it is still being trained."""

from collections.abc import Sequence

import numpy as np
import paddle
from numpy.typing import NDArray

from toolkit.inference.engines.engine import Stream, Takes
from toolkit.models.recognizer import Recognizer


class NetworkEngine:
    """Runs a recogniser as it stands now, as in deployment: statistics fixed, nothing dropped.

    Args:
        model: the network; after every call its training switches are as they were.
    """

    takes: Takes = "tensor"

    def __init__(self, model: Recognizer) -> None:
        self._model = model

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps images [b, 3, h, w] to features [b, d], not normalised."""
        layers = self._model.sublayers(include_self=True)
        were_training = [layer.training for layer in layers]
        self._model.eval()
        try:
            with paddle.no_grad():
                features: NDArray[np.float32] = self._model.embed(paddle.to_tensor(images)).numpy()
        finally:
            for layer, training in zip(layers, were_training, strict=True):
                layer.training = training
        return features

    def streams(self) -> Sequence[Stream]:
        """Returns the one function that there is: the network's switches belong to the process."""
        return [self.run]
