"""Steps that change colours and leave every pixel where it is."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import Fraction, NonNegativeFloat, NonNegativeInt
from toolkit.data.transforms.transform import Transform, check_fraction

_LEVELS = np.arange(256, dtype=np.float64)


class ColorJitter(Transform):
    """Changes brightness, contrast, saturation and hue by random amounts, in random order.

    Args:
        brightness: the factor is drawn evenly from [1 - brightness, 1 + brightness], not below 0.
        contrast: likewise; the distance of each pixel from the mean grey is multiplied.
        saturation: likewise; the distance of each pixel from its own grey.
        hue: the shift is drawn evenly from [-hue, hue], in turns of the colour circle, up to 0.5.
        prob: how often anything is done at all.
    """

    def __init__(
        self,
        brightness: NonNegativeFloat = 0.0,
        contrast: NonNegativeFloat = 0.0,
        saturation: NonNegativeFloat = 0.0,
        hue: NonNegativeFloat = 0.0,
        prob: Fraction = 1.0,
    ) -> None:
        for name, value in [
            ("brightness", brightness),
            ("contrast", contrast),
            ("saturation", saturation),
        ]:
            if value < 0:
                raise ValueError(f"{name} is {value}; it must be 0 or more.")
        if not 0 <= hue <= 0.5:
            raise ValueError(f"hue is {hue}; it must be from 0 to 0.5 turns.")
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        self.hue, self.prob = hue, check_fraction("prob", prob)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        if rng.random() >= self.prob:
            return image
        steps: list[tuple[Callable[[NDArray[Any], float], NDArray[Any]], float, float]] = [
            (adjust_brightness, 1.0, self.brightness),
            (adjust_contrast, 1.0, self.contrast),
            (adjust_saturation, 1.0, self.saturation),
            (shift_hue, 0.0, self.hue),
        ]
        for number in rng.permutation(len(steps)):
            adjust, neutral, spread = steps[number]
            if spread:
                low = neutral - spread if adjust is shift_hue else max(0.0, neutral - spread)
                image = adjust(image, rng.uniform(low, neutral + spread))
        return image


class RandomGrayscale(Transform):
    """Takes all colour away, or not.

    Args:
        prob: how often.
    """

    def __init__(self, prob: Fraction = 0.2) -> None:
        self.prob = check_fraction("prob", prob)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        return adjust_saturation(image, 0.0) if rng.random() < self.prob else image


class RandomSolarize(Transform):
    """Turns the bright levels into their negative, or not.

    Args:
        threshold: the darkest level that is turned, 0 to 255.
        prob: how often.

    Source: Grill et al., Bootstrap Your Own Latent, 2020, appendix B.
    """

    def __init__(self, threshold: NonNegativeInt = 128, prob: Fraction = 0.2) -> None:
        if not 0 <= threshold <= 255:
            raise ValueError(f"threshold is {threshold}; it must be from 0 to 255.")
        self.threshold, self.prob = threshold, check_fraction("prob", prob)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        if rng.random() >= self.prob:
            return image
        return map_levels(image, np.where(self.threshold > _LEVELS, _LEVELS, 255 - _LEVELS))


def adjust_brightness(image: NDArray[Any], factor: float) -> NDArray[Any]:
    """Multiplies every level; 0 gives black, 1 the same image."""
    return map_levels(image, _LEVELS * factor)


def adjust_contrast(image: NDArray[Any], factor: float) -> NDArray[Any]:
    """Multiplies the distance from the mean grey of the image; 0 gives one grey."""
    mean = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()
    return map_levels(image, mean + factor * (_LEVELS - mean))


def adjust_saturation(image: NDArray[Any], factor: float) -> NDArray[Any]:
    """Multiplies the distance of every pixel from its own grey; 0 gives a grey image."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


def shift_hue(image: NDArray[Any], turns: float) -> NDArray[Any]:
    """Moves every colour along the colour circle, in steps of 1/256 turn; 1/3 makes red green."""
    hsv: NDArray[np.uint8] = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL), np.uint8)
    hsv[..., 0] += np.uint8(round(turns * 256) % 256)  # a byte wraps around as the circle does
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def map_levels(image: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    """Replaces every level by its entry in a table [256] or, a channel each, [256, 3]."""
    entries = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return cv2.LUT(image, entries.reshape(1, 256, -1) if entries.ndim == 2 else entries)
