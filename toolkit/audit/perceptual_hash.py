"""A 64-bit hash of what a picture looks like, and the thumbnail that confirms a match.

Source: the DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions" (2010), section 3.2: shrink to 32 x 32 grey, keep the 8 x 8 lowest frequencies, and set
a bit where a coefficient is above their median.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_DCT_SIDE = 32
_KEPT_SIDE = 8
THUMBNAIL_SIDE = 16


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """Returns the 64-bit hash of a grey picture.

    Args:
        grey: uint8 [h, w], any size from 1 x 1.

    Returns:
        An integer in [0, 2^64). The first bit stands for the mean brightness.
    """
    small = cv2.resize(grey, (_DCT_SIDE, _DCT_SIDE), interpolation=cv2.INTER_AREA)
    frequencies: NDArray[np.float32] = np.asarray(cv2.dct(small.astype(np.float32)), np.float32)
    low = frequencies[:_KEPT_SIDE, :_KEPT_SIDE].ravel()
    # The mean is no frequency and would pull the median of the others.
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns a grey picture as uint8 [16, 16], its aspect ratio given up."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def correlations(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns how alike thumbnails are, whatever their brightness and contrast.

    Args:
        first: uint8 [n, 256], a flattened thumbnail a row.
        second: uint8 [n, 256], compared with `first` row by row.

    Returns:
        Pearson's correlation in [-1, 1], float64 [n]; 0 where one of the two is flat.
    """
    a, b = _standard(first), _standard(second)
    return np.asarray(np.einsum("nd,nd->n", a, b))


def _standard(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Takes the mean off each row and scales it to unit length; a flat row becomes zeros."""
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(length == 0, 1, length))
