"""How pictures enter a network of slim: as slim evaluates it, or as Compute-Features feeds it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.cards.tensorflow_slim import SlimModel
from toolkit.data.transforms.geometry import CropImage, ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage
from toolkit.data.transforms.transform import FixedTransform

# slim's evaluation looks at the middle seven eighths of a picture: 224 of 256, 299 of 342.
_SEEN = 0.875
_VGG_SHORT_SIDE = 256
_VGG_MEAN = [123.68, 116.78, 103.94]


class SquashImage(FixedTransform):
    """Resizes to a square with Pillow's bilinear filter, whatever the aspect: scipy's ``imresize``.

    Args:
        size: side of the square in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns uint8 [size, size, 3]."""
        squashed = Image.fromarray(image).resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(squashed)


def slim_pipeline(model: SlimModel, *, legacy: bool = False) -> Pipeline:
    """Returns how pictures are prepared: slim's evaluation, or what Compute-Features does.

    Source: ``preprocessing/inception_preprocessing.py`` and ``vgg_preprocessing.py`` of slim.
    """
    if legacy:
        raw = NormalizeImage(scale=1.0, mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 1.0])
        return Pipeline([SquashImage(model.legacy_side), raw, ToCHWImage()])
    crop = CropImage(model.side)
    if model.preprocessing == "vgg":
        means = NormalizeImage(scale=1.0, mean=_VGG_MEAN, std=[1.0, 1.0, 1.0])
        return Pipeline([ResizeImage(resize_short=_VGG_SHORT_SIDE), crop, means, ToCHWImage()])
    whole = ResizeImage(size=round(model.side / _SEEN))
    signed = NormalizeImage(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
    return Pipeline([whole, crop, signed, ToCHWImage()])
