"""Compiling the loops before the first step, so that a person is told what takes the time."""

import logging
import time

import numpy as np

from toolkit.kernels import column_loops, depthwise_loops, norm_loops

_LOG = logging.getLogger(__name__)
_WORTH_TELLING = 1.0


def compile_loops() -> None:
    """Compiles every loop for float32, or finds it in numba's cache, and says how long it took."""
    started = time.monotonic()
    planes, constants = np.ones((2, 9), dtype=np.float32), np.ones((2, 5), dtype=np.float32)
    sums = np.ones((2, 2), dtype=np.float32)
    norm_loops.moments(planes, sums, 0, 0)
    if not norm_loops.moments.stats.cache_hits:
        _LOG.info("Compiling the kernels for this processor, once; it takes some seconds.")
    norm_loops.normalise(planes, constants, 0, planes, 0, 0)
    norm_loops.gradient_sums(planes, constants, 0, planes, sums, 0, 0)
    norm_loops.pull_back(planes, constants, 0, planes, planes, 0, 0)
    images = np.ones((2, 3, 3), dtype=np.float32)
    depthwise_loops.forward(images, images, (1, 1), images, 0, 0)
    depthwise_loops.backward(images, images, (1, 1), images, (images, images), 0, 0)
    batch, columns = images[np.newaxis], np.ones((18, 9), dtype=np.float32)
    column_loops.scatter(batch, (3, 1, 1), columns)
    column_loops.gather(columns, (3, 1, 1), batch)
    seconds = time.monotonic() - started
    if seconds > _WORTH_TELLING:
        _LOG.info("The kernels are compiled (%.1f s); later runs find them so.", seconds)
