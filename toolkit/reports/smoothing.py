"""Curves of long runs, smoothed as little as lets one see where they go."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A curve is smoothed over this share of its values.
_SHARE = 0.02


def smoothed(values: Sequence[float]) -> NDArray[np.float64]:
    """Returns the mean over a centred window, shorter at the ends."""
    half = int(len(values) * _SHARE / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    first, end = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return np.asarray((sums[end] - sums[first]) / (end - first))
