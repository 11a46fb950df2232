"""Sharpness taken away, so that shape and colour have to do."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.config.types import Fraction, PositiveFloat
from toolkit.data.transforms.transform import Transform, check_fraction, check_range


class RandomGaussianBlur(Transform):
    """Averages every pixel with its neighbours, or not; the border is mirrored.

    Args:
        sigma: [low, high] standard deviation in pixels, drawn evenly; default [0.1, 2].
        prob: how often.

    Source: Chen et al., A Simple Framework for Contrastive Learning, 2020, appendix A.
    """

    def __init__(self, sigma: list[PositiveFloat] | None = None, prob: Fraction = 0.5) -> None:
        self.sigma = check_range("sigma", sigma, (0.1, 2.0))
        self.prob = check_fraction("prob", prob)

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns uint8 [h, w, 3]."""
        if rng.random() >= self.prob:
            return image
        sigma = rng.uniform(self.sigma[0], self.sigma[1])
        return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
