"""Steps that move pixels: resize, crop, flip, pad, rotate. Sizes are [width, height]."""

import math
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import (
    Degrees,
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveIntList,
)
from toolkit.data.transforms.transform import (
    FixedTransform,
    Transform,
    check_fill,
    check_fraction,
    check_range,
)
from toolkit.errors import ImageError

_INTERPOLATIONS = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "nearest": cv2.INTER_NEAREST,
}
_CROP_TRIES = 10


class ResizeImage(FixedTransform):
    """Resizes the image, to a size whatever its aspect as PaddleX's predictor does, or by a side.

    Args:
        size: side of a square in pixels, or [width, height].
        interpolation: how a pixel is computed. ``bilinear`` looks at 4 pixels even when it shrinks;
            ``area`` averages all of them.
        resize_short: instead of `size`: the length of the shorter side in pixels; the aspect stays.

    Raises:
        ValueError: both or neither of `size` and `resize_short` are given.
    """

    def __init__(
        self,
        size: PositiveInt | PositiveIntList | None = None,
        interpolation: Literal["bilinear", "bicubic", "area", "nearest"] = "bilinear",
        resize_short: PositiveInt | None = None,
    ) -> None:
        if (size is None) == (resize_short is None):
            raise ValueError(
                f"give either size or resize_short; got size {size} and resize_short {resize_short}"
            )
        self.size, self.interpolation, self.resize_short = size, interpolation, resize_short
        self._width_height = None if size is None else _width_height(size)
        self._flag = interpolation_flag(interpolation)

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns uint8 [height, width, 3]."""
        height, width = image.shape[:2]
        return cv2.resize(image, self.target_size(width, height), interpolation=self._flag)

    def target_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns the (width, height) that an image of this width and height gets."""
        if self._width_height is not None:
            return self._width_height
        factor = (self.resize_short or 1) / min(height, width)
        return max(1, round(width * factor)), max(1, round(height * factor))


class CropImage(FixedTransform):
    """Cuts out the centre; an odd pixel is left over on the right and at the bottom.

    Args:
        size: side of a square in pixels, or [width, height].
    """

    def __init__(self, size: PositiveInt | PositiveIntList) -> None:
        self.size = size
        self._width_height = _width_height(size)

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns uint8 [height, width, 3].

        Raises:
            ImageError: the image is smaller than the crop.
        """
        free_rows, free_columns = _free_space(image, self._width_height, "CropImage")
        return _crop(image, free_rows // 2, free_columns // 2, self._width_height)


class RandCropImage(Transform):
    """Cuts out a random part and resizes it: changes scale, place and aspect ratio at once.

    Args:
        size: side of a square in pixels, or [width, height].
        scale: [low, high] part of the image's area, above 0 to 1; default [0.08, 1].
        ratio: [low, high] width / height of the part, drawn on a logarithmic scale; default
            [3/4, 4/3].
        interpolation: see `ResizeImage`.

    Source:
        Szegedy et al., "Going Deeper with Convolutions", 2014, section 6. Ten tries, then the
        largest centre crop whose aspect ratio is in range.
    """

    def __init__(
        self,
        size: PositiveInt | PositiveIntList,
        scale: list[Fraction] | None = None,
        ratio: list[PositiveFloat] | None = None,
        interpolation: Literal["bilinear", "bicubic", "area", "nearest"] = "bilinear",
    ) -> None:
        self.size, self.interpolation = size, interpolation
        self.scale = check_range("scale", scale, (0.08, 1.0))
        self.ratio = check_range("ratio", ratio, (3 / 4, 4 / 3))
        check_fraction("scale", self.scale[1])
        self._width_height = _width_height(size)
        self._flag = interpolation_flag(interpolation)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [height, width, 3]."""
        top, left, height, width = self._draw_box(image.shape[0], image.shape[1], rng)
        part = image[top : top + height, left : left + width]
        return cv2.resize(part, self._width_height, interpolation=self._flag)

    def _draw_box(
        self, rows: int, columns: int, rng: np.random.Generator
    ) -> tuple[int, int, int, int]:
        """Returns (top, left, height, width) of the part."""
        low, high = self.ratio
        for _ in range(_CROP_TRIES):
            area = rows * columns * rng.uniform(self.scale[0], self.scale[1])
            aspect = math.exp(rng.uniform(math.log(low), math.log(high)))
            width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < width <= columns and 0 < height <= rows:
                top = int(rng.integers(rows - height + 1))
                left = int(rng.integers(columns - width + 1))
                return top, left, height, width
        aspect = min(max(columns / rows, low), high)
        width = max(1, min(columns, round(rows * aspect)))
        height = max(1, min(rows, round(columns / aspect)))
        return (rows - height) // 2, (columns - width) // 2, height, width


class RandFlipImage(Transform):
    """Mirrors the image, or not.

    Args:
        flip_code: 1: left and right change places; 0: top and bottom; -1: both (half a turn).
        prob: how often.
    """

    def __init__(self, flip_code: Literal[0, 1, -1] = 1, prob: Fraction = 0.5) -> None:
        if flip_code not in (0, 1, -1):
            raise ValueError(f"flip_code is {flip_code}; it must be 1, 0 or -1.")
        self.flip_code = flip_code
        self.prob = check_fraction("prob", prob)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        return cv2.flip(image, self.flip_code) if rng.random() < self.prob else image


class PadRandomCrop(Transform):
    """Adds a border and cuts out a random window: shifts the image a little.

    Args:
        size: side of a square window in pixels, or [width, height].
        pad: pixels added on each side.
        fill: grey level of the border, 0 to 255.
    """

    def __init__(
        self,
        size: PositiveInt | PositiveIntList,
        pad: NonNegativeInt = 10,
        fill: NonNegativeInt = 0,
    ) -> None:
        if pad < 0:
            raise ValueError(f"pad is {pad}; it must be 0 or more pixels.")
        self.size, self.pad, self.fill = size, pad, check_fill(fill)
        self._width_height = _width_height(size)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [height, width, 3].

        Raises:
            ImageError: the image with its border is smaller than the window.
        """
        sides = (self.pad,) * 4
        padded = cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=(self.fill,) * 3)
        free_rows, free_columns = _free_space(padded, self._width_height, "PadRandomCrop")
        top, left = int(rng.integers(free_rows + 1)), int(rng.integers(free_columns + 1))
        return _crop(padded, top, left, self._width_height)


class RandomRotation(Transform):
    """Turns the image about its centre, or not; the size stays, corners are cut off.

    Args:
        degrees: the angle is drawn evenly from [-degrees, degrees].
        prob: how often.
        fill: grey level of what comes in from outside, 0 to 255.
        interpolation: how a pixel is computed, see `ResizeImage`.
    """

    def __init__(
        self,
        degrees: Degrees = 90.0,
        prob: Fraction = 0.5,
        fill: NonNegativeInt = 0,
        interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear",
    ) -> None:
        if not 0 <= degrees <= 180:
            raise ValueError(f"degrees is {degrees}; it must be from 0 to 180.")
        self.degrees, self.prob = degrees, check_fraction("prob", prob)
        self.fill, self.interpolation = check_fill(fill), interpolation
        self._flag = interpolation_flag(interpolation)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        if rng.random() >= self.prob:
            return image
        return rotate(image, rng.uniform(-self.degrees, self.degrees), self.fill, self._flag)


def rotate(
    image: NDArray[Any], degrees: float, fill: int, flag: int = cv2.INTER_LINEAR
) -> NDArray[Any]:
    """Turns an image [h, w, 3] counter-clockwise about the middle of its pixels."""
    rows, columns = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), degrees, 1.0)
    return warp(image, matrix, fill, flag)


def warp(
    image: NDArray[Any], matrix: NDArray[Any], fill: int, flag: int = cv2.INTER_LINEAR
) -> NDArray[Any]:
    """Moves the pixel at (x, y) to matrix @ (x, y, 1); `matrix` is [2, 3], `flag` OpenCV's."""
    return cv2.warpAffine(
        image,
        matrix,
        image.shape[1::-1],
        flags=flag,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill, fill, fill),
    )


def _width_height(size: int | list[int]) -> tuple[int, int]:
    sides = [size, size] if isinstance(size, int) else list(size)
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(f"size is {size}; it must be a side or [width, height], 1 pixel or more.")
    return sides[0], sides[1]


def interpolation_flag(name: str) -> int:
    """Returns OpenCV's flag of an interpolation.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in _INTERPOLATIONS:
        known = ", ".join(_INTERPOLATIONS)
        raise ValueError(f"interpolation is {name!r}; it must be one of {known}.")
    return _INTERPOLATIONS[name]


def _free_space(image: NDArray[Any], width_height: tuple[int, int], step: str) -> tuple[int, int]:
    """Returns how many (rows, columns) are left over around a crop."""
    rows, columns = image.shape[:2]
    width, height = width_height
    if rows < height or columns < width:
        raise ImageError(
            f"{columns} x {rows} pixels are too few for {step} to cut out {width} x {height}; "
            "put a ResizeImage before it."
        )
    return rows - height, columns - width


def _crop(image: NDArray[Any], top: int, left: int, width_height: tuple[int, int]) -> NDArray[Any]:
    width, height = width_height
    return np.ascontiguousarray(image[top : top + height, left : left + width])
