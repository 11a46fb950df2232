"""From the bytes of a file to its facts: one decode, and a few numbers from the pixels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.audit.facts import Failure, ImageFacts, Picture
from toolkit.data.decode import Decoded, DecodeError, decode

# Blur is measured at this size, so that a large photograph and its small copy score alike.
_NORMAL_SIDE = 256
_SMALL_SIDE = 64
_THUMBNAIL_SIDE = 32
# Entropy is that of the stored values, as shrinking makes new ones between them; of a large picture
# every second, third, ... row and column say the same.
_ENOUGH_FOR_ENTROPY = 512
# Differences of a pixel from its eight neighbours.
_EDGE_KERNEL = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=np.float32)
# A file of more bytes than this for each pixel allowed cannot be a picture worth reading.
_BYTES_A_PIXEL = 8


def measure_file(path: Path, *, max_pixels: int) -> ImageFacts:
    """Reads, decodes and measures one file; what is wrong with it is a fact too.

    Args:
        path: the file; it has to exist.
        max_pixels: more than this are not decoded.

    Returns:
        The facts; never raises for the contents of a file.
    """
    try:
        status = path.stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
    except OSError as error:
        return ImageFacts(str(path), 0, 0, "", Failure("unreadable", _reason(error)))
    if size > max_pixels * _BYTES_A_PIXEL + (1 << 20):
        failure = Failure("bomb", f"{size:,} bytes, more than {max_pixels:,} pixels need")
        return ImageFacts(str(path), size, mtime_ns, "", failure)
    try:
        data = path.read_bytes()
    except OSError as error:
        return ImageFacts(str(path), size, mtime_ns, "", Failure("unreadable", _reason(error)))
    digest = hashlib.sha256(data).hexdigest()
    try:
        picture = measure(decode(data, max_pixels=max_pixels))
    except DecodeError as error:
        failure = Failure(error.kind, str(error))
        return ImageFacts(str(path), size, mtime_ns, digest, failure)
    return ImageFacts(str(path), size, mtime_ns, digest, None, picture)


def measure(decoded: Decoded) -> Picture:
    """Measures a decoded picture."""
    pixels = decoded.pixels  # [h, w, 3] uint8
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    small = _shrink(grey, _NORMAL_SIDE)
    square = _square(small, _SMALL_SIDE)
    darkest, dark_end, brightest = _percentiles(small, (0.01, 0.05, 0.99))
    return Picture(
        width=width,
        height=height,
        format=decoded.format,
        mode=decoded.mode,
        frames=decoded.frames,
        orientation=decoded.orientation,
        bits=decoded.bits,
        alpha=decoded.has_alpha,
        grey=_is_grey(pixels),
        pixels=_hash_pixels(pixels),
        sharpness=_sharpness(small),
        edges=_edges(_shrink(small, _SMALL_SIDE)),
        darkest=darkest,
        dark_end=dark_end,
        brightest=brightest,
        entropy=_entropy(grey),
        contrast=round(_deviation(square), 3),
        thumbnail=_square(square, _THUMBNAIL_SIDE).tobytes(),
    )


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _shrink(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = grey.shape
    scale = side / max(height, width)
    if scale >= 1:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _square(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    resized = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """Returns the variance of the Laplacian; its values fit 16 bits, which is faster than float."""
    return round(_deviation(cv2.Laplacian(grey, cv2.CV_16S)) ** 2, 3)


def _edges(grey: NDArray[np.uint8]) -> float:
    """Returns how much the edges vary; those darker than their surroundings count as none."""
    return round(_deviation(cv2.filter2D(grey, -1, _EDGE_KERNEL)), 3)


def _deviation(values: NDArray[Any]) -> float:
    _, deviation = cv2.meanStdDev(values)
    return float(deviation[0, 0])


def _percentiles(grey: NDArray[np.uint8], shares: Sequence[float]) -> list[float]:
    """Returns percentiles in [0, 1], by counting: faster than sorting."""
    values = np.searchsorted(np.cumsum(_counts(grey)), np.multiply(shares, grey.size))
    return [round(float(value) / 255, 4) for value in values]


def _entropy(grey: NDArray[np.uint8]) -> float:
    stride = max(1, min(grey.shape) // _ENOUGH_FOR_ENTROPY)
    counts = _counts(np.ascontiguousarray(grey[::stride, ::stride]))
    shares = counts[counts > 0] / counts.sum()
    return round(float(-(shares * np.log2(shares)).sum()) + 0.0, 3)


def _counts(grey: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns how often each of the 256 values occurs."""
    return cv2.calcHist([grey], [0], None, [256], [0, 256]).astype(np.int64).ravel()


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether all channels are equal; a few rows decide it for nearly every colour picture."""
    few = pixels[:: max(1, pixels.shape[0] // 8)]
    return all(
        bool((part[..., 0] == part[..., other]).all()) for part in (few, pixels) for other in (1, 2)
    )


def _hash_pixels(pixels: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:32]
