"""From the bytes of a file to its facts: one decode, and a few numbers from the pixels."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.audit.facts import Failure, ImageFacts, Picture
from toolkit.audit.perceptual_hash import perceptual_hash, thumbnail
from toolkit.data.decode import Decoded, DecodeError, decode

# Blur is measured at this size, so that a large photograph and its small copy score alike.
_NORMAL_SIDE = 256
_CONTRAST_SIDE = 64
# Below this contrast the bits of a perceptual hash are noise, and all flat pictures would match.
_FLAT = 2.0
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
    darkest, brightest = _brightness_range(small)
    contrast = float(_square(grey, _CONTRAST_SIDE).std())
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
        phash=None if contrast < _FLAT else perceptual_hash(grey),
        sharpness=_sharpness(small),
        darkest=darkest,
        brightest=brightest,
        contrast=round(contrast, 3),
        thumbnail=thumbnail(grey).tobytes(),
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
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return round(float(deviation[0, 0]) ** 2, 3)


def _brightness_range(grey: NDArray[np.uint8]) -> tuple[float, float]:
    """Returns the 1st and the 99th percentile in [0, 1], by counting: faster than sorting."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).astype(np.int64)
    low, high = np.searchsorted(np.cumsum(counts), (0.01 * grey.size, 0.99 * grey.size))
    return round(float(low) / 255, 4), round(float(high) / 255, 4)


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
