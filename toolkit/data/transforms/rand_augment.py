"""RandAugment: a few operations drawn from a list, all with the same strength."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt
from toolkit.data.transforms.colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    map_levels,
)
from toolkit.data.transforms.geometry import interpolation_flag, rotate, warp
from toolkit.data.transforms.transform import Transform, check_fill, check_fraction

_MAX_MAGNITUDE = 10
_LEVELS = np.arange(256, dtype=np.float64)


class RandAugment(Transform):
    """Applies `num_layers` operations, each drawn anew and evenly from `OPERATIONS`.

    With strength s = magnitude / 10, and a sign drawn where there is a ±:

    ==========================  ========================================================
    identity, autocontrast,     no strength: as it is, levels stretched to 0..255, or
    equalize                    spread so that all are equally frequent
    rotate                      ± 30 s degrees
    shear_x, shear_y            ± 0.3 s pixels sideways a pixel
    translate_x, translate_y    ± 0.45 s of the width, of the height
    brightness, contrast,       factor 1 ± 0.9 s
    color, sharpness
    posterize                   8 - 4 s bits are kept, rounded
    solarize                    levels from 256 (1 - s) on are inverted
    ==========================  ========================================================

    Args:
        num_layers: operations an image.
        magnitude: 0 to 10; 0 leaves only autocontrast and equalize with an effect.
        prob: how often a drawn operation is applied.
        fill: grey level of what comes in from outside, 0 to 255.
        interpolation: how a pixel is computed that was turned, sheared or moved.

    Source:
        Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
        space", 2019, section 3; the ranges are those of AutoAugment (2018), table 6.
    """

    def __init__(
        self,
        num_layers: PositiveInt = 2,
        magnitude: NonNegativeFloat = 7.0,
        prob: Fraction = 1.0,
        fill: NonNegativeInt = 128,
        interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear",
    ) -> None:
        if num_layers < 1:
            raise ValueError(f"num_layers is {num_layers}; it must be 1 or more.")
        if not 0 <= magnitude <= _MAX_MAGNITUDE:
            raise ValueError(f"magnitude is {magnitude}; it must be from 0 to {_MAX_MAGNITUDE}.")
        self.num_layers, self.magnitude = num_layers, magnitude
        self.prob, self.fill = check_fraction("prob", prob), check_fill(fill)
        self.interpolation = interpolation
        self._warping = Warping(self.fill, interpolation_flag(interpolation))

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        names = list(OPERATIONS)
        for _ in range(self.num_layers):
            name = names[rng.integers(len(names))]
            sign = 1 if rng.random() < 0.5 else -1
            if rng.random() < self.prob:
                strength = sign * self.magnitude / _MAX_MAGNITUDE
                image = OPERATIONS[name](image, strength, self._warping)
        return image


class Warping(NamedTuple):
    """How pixels are computed that come from between others, or from outside.

    Attributes:
        fill: grey level outside, 0 to 255.
        flag: OpenCV's interpolation.
    """

    fill: int
    flag: int


Operation = Callable[[NDArray[Any], float, Warping], NDArray[Any]]
"""(image uint8 [h, w, 3], strength with sign in [-1, 1], warping) -> image of the same shape."""


def autocontrast(image: NDArray[Any]) -> NDArray[Any]:
    """Stretches each channel so that its smallest level becomes 0 and its largest 255."""
    low = image.min(axis=(0, 1)).astype(np.float64)
    high = image.max(axis=(0, 1)).astype(np.float64)
    flat = high <= low
    scale = 255 / np.where(flat, 1, high - low)
    stretched = np.floor((_LEVELS[:, np.newaxis] - low) * scale)
    return map_levels(image, np.where(flat, _LEVELS[:, np.newaxis], stretched))


def equalize(image: NDArray[Any]) -> NDArray[Any]:
    """Maps the levels of each channel so that their cumulated counts grow evenly (as Pillow)."""
    table = np.empty((256, 3))
    for channel in range(3):
        counts = np.bincount(image[..., channel].ravel(), minlength=256)
        occupied = counts[counts > 0]
        step = (counts.sum() - occupied[-1]) // 255
        below = np.cumsum(counts) - counts
        table[:, channel] = (step // 2 + below) // step if step else _LEVELS
    return map_levels(image, table)


def posterize(image: NDArray[Any], bits: int) -> NDArray[Any]:
    """Keeps the highest `bits` of 8."""
    return image & np.uint8(256 - (1 << (8 - bits)))


def solarize(image: NDArray[Any], threshold: float) -> NDArray[Any]:
    """Inverts the levels from `threshold` on."""
    return map_levels(image, np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS))


def adjust_sharpness(image: NDArray[Any], factor: float) -> NDArray[Any]:
    """Multiplies the distance from a smoothed image; the outermost pixels stay (as Pillow)."""
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / 13
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel)[1:-1, 1:-1]
    return cv2.addWeighted(image, factor, smooth, 1 - factor, 0)


def _affine(
    image: NDArray[Any], warping: Warping, x: tuple[float, float], y: tuple[float, float]
) -> NDArray[Any]:
    """Shears and moves: x' = x + x[0] y + x[1] and y' = y + y[0] x + y[1]."""
    matrix = np.array([[1.0, x[0], x[1]], [y[0], 1.0, y[1]]])
    return warp(image, matrix, *warping)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda image, _s, _w: image,
    "autocontrast": lambda image, _s, _w: autocontrast(image),
    "equalize": lambda image, _s, _w: equalize(image),
    "rotate": lambda image, s, warping: rotate(image, 30 * s, *warping),
    "shear_x": lambda image, s, warping: _affine(image, warping, (0.3 * s, 0), (0, 0)),
    "shear_y": lambda image, s, warping: _affine(image, warping, (0, 0), (0.3 * s, 0)),
    "translate_x": lambda image, s, warping: _affine(
        image, warping, (0, 0.45 * s * image.shape[1]), (0, 0)
    ),
    "translate_y": lambda image, s, warping: _affine(
        image, warping, (0, 0), (0, 0.45 * s * image.shape[0])
    ),
    "brightness": lambda image, s, _w: adjust_brightness(image, 1 + 0.9 * s),
    "contrast": lambda image, s, _w: adjust_contrast(image, 1 + 0.9 * s),
    "color": lambda image, s, _w: adjust_saturation(image, 1 + 0.9 * s),
    "sharpness": lambda image, s, _w: adjust_sharpness(image, 1 + 0.9 * s),
    "posterize": lambda image, s, _w: posterize(image, 8 - round(4 * abs(s))),
    "solarize": lambda image, s, _w: solarize(image, 256 * (1 - abs(s))),
}
