"""The last steps: from bytes to the numbers that a network takes."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import Fraction, PositiveFloat, PositiveInt
from toolkit.data.transforms.transform import FixedTransform, Transform, check_fraction, check_range

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class NormalizeImage(FixedTransform):
    """(level x scale - mean) / std, a channel each, in 32-bit floats as PaddleX computes it.

    Args:
        scale: what a level 0..255 is multiplied with first; 1/255 by default.
        mean: mean of R, G and B after scaling; ImageNet's by default.
        std: standard deviation of R, G and B after scaling; ImageNet's by default.

    Attributes:
        factor: float32 [3]; what comes out is level x factor + offset.
        offset: float32 [3].
    """

    gives = "values"

    def __init__(
        self,
        scale: PositiveFloat = 0.00392156862745098,
        mean: list[float] | None = None,
        std: list[PositiveFloat] | None = None,
    ) -> None:
        self.scale = scale
        self.mean = list(_IMAGENET_MEAN if mean is None else mean)
        self.std = list(_IMAGENET_STD if std is None else std)
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError(f"mean is {mean} and std is {std}; each must be three numbers.")
        if scale <= 0 or min(self.std) <= 0:
            raise ValueError(f"scale is {scale} and std is {self.std}; they must be above 0.")
        self.factor = (scale / np.array(self.std)).astype(np.float32)
        self.offset = (-np.array(self.mean) / np.array(self.std)).astype(np.float32)

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns float32 [h, w, 3]."""
        values = image.astype(np.float32)
        values *= self.factor
        values += self.offset
        return values


class RandomErasing(Transform):
    """Paints a random rectangle over, or not: the network may not rely on a single part.

    Args:
        prob: how often.
        area: [low, high] part of the image's area, above 0 to 1; default [0.02, 0.4].
        aspect: height / width is drawn evenly from [aspect, 1 / aspect].
        fill: value painted, the same for each channel; 0 behind NormalizeImage is the mean colour.
        attempts: draws until a rectangle fits; then the image is left as it is.

    Source:
        Zhong et al., "Random Erasing Data Augmentation", 2017, algorithm 1.
    """

    takes = ("pixels", "values")

    def __init__(
        self,
        prob: Fraction = 0.5,
        area: list[Fraction] | None = None,
        aspect: PositiveFloat = 0.3,
        fill: float = 0.0,
        attempts: PositiveInt = 100,
    ) -> None:
        self.prob = check_fraction("prob", prob)
        self.area = check_range("area", area, (0.02, 0.4))
        check_fraction("area", self.area[1])
        if not 0 < aspect <= 1:
            raise ValueError(f"aspect is {aspect}; it must be above 0 and at most 1.")
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; it must be 1 or more.")
        self.aspect, self.fill, self.attempts = aspect, fill, attempts

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns the form, type and shape that it was given."""
        if rng.random() >= self.prob:
            return image
        rows, columns = image.shape[:2]
        for _ in range(self.attempts):
            target = rows * columns * rng.uniform(self.area[0], self.area[1])
            ratio = rng.uniform(self.aspect, 1 / self.aspect)
            height, width = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
            if 0 < height <= rows and 0 < width <= columns:
                top = int(rng.integers(rows - height + 1))
                left = int(rng.integers(columns - width + 1))
                erased = image.copy()
                erased[top : top + height, left : left + width] = self.fill
                return erased
        return image


class ToCHWImage(FixedTransform):
    """Puts the channels first, as the network wants them."""

    takes = ("values",)
    gives = "tensor"

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns float32 [3, h, w], contiguous."""
        return np.ascontiguousarray(image.transpose(2, 0, 1))


class ImageSize(FixedTransform):
    """Puts the size of a picture in its place, for who asks for nothing else of it."""

    gives = "tensor"

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns float32 [3, 1, 1]: height, width and channels of [h, w, 3]."""
        return np.array(image.shape, dtype=np.float32).reshape(3, 1, 1)
