"""An engine that runs a network up to one of its endpoints, with Paddle, as it stands in memory."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError
from toolkit.inference.engines.engine import Stream, Takes
from toolkit.models.endpoints import EndpointNetwork, Measure


class EndpointEngine:
    """Gives the values of an endpoint, not normalised; the same for every batch, to the last bit.

    Args:
        network: what is run; it is switched to evaluation and belongs to the engine.
        pipeline: RGB pixels [h, w, 3] to what the endpoint takes of a picture.
        measure: of the endpoint.
        fingerprint: of the weights, the pipeline, the endpoint and its pooling.
        threads: CPU threads of the network, 1 or more; None leaves that to Paddle.

    Raises:
        ConfigError: `threads` is below 1.

    Attributes:
        shape: of one picture's value after pooling; None stands for what differs.
        length: numbers a picture; None when it differs from picture to picture.
        dtype: ``float32`` or ``int32``.
        largest_batch: 1 for pictures as they are, whose sizes differ; None for any.
    """

    takes: Takes = "tensor"

    def __init__(
        self,
        network: EndpointNetwork,
        pipeline: Pipeline,
        measure: Measure,
        fingerprint: str,
        *,
        threads: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ConfigError(f"threads is {threads}; a network needs 1 or more.")
        network.eval()
        self.network, self._threads, self._lock = network, threads, threading.Lock()
        self.pipeline, self.measure, self.fingerprint = pipeline, measure, fingerprint
        self.shape, self.length, self.dtype = measure.shape, measure.length, measure.dtype
        self.largest_batch = 1 if network.endpoint.takes == "pixels" else None

    def run(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Maps images [b, 3, h, w], as the pipeline gives them, to rows [b, d].

        Raises:
            ConfigError: more images than `largest_batch`.
        """
        if self.largest_batch is not None and len(images) > self.largest_batch:
            raise ConfigError(
                f"The endpoint {self.network.endpoint.name} gives pictures of any size, so it "
                f"takes one at a time; received {len(images)}. Set batch_size to 1."
            )
        with self._lock:
            if self._threads is not None:
                # Paddle keeps this number for each thread that calls it.
                paddle.base.core.set_num_threads(self._threads)
            # One image a pass: matrix products of other heights round otherwise, and on a CPU
            # larger passes are no faster.
            return np.concatenate([self.network.run(image[np.newaxis]) for image in images])

    def streams(self) -> Sequence[Stream]:
        """Returns the one function that there is: hooks belong to the network."""
        return [self.run]
