"""Scaling features to length 1, so that the inner product of two of them is their cosine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-12
"""Shorter features than this are not stretched to length 1."""


def unit_vectors(features: NDArray[Any]) -> NDArray[np.float32]:
    """Scales every row to length 1; a row of zeros stays one.

    Args:
        features: [n, d], finite.

    Returns:
        float32 [n, d].
    """
    wide = features.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (wide / np.maximum(lengths, EPSILON)).astype(np.float32)
    return scaled
