"""Whether an engine computes what a network does, on pictures drawn for the purpose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ModelError
from toolkit.inference.engines.engine import Engine, Takes, open_engine, ready_engines
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.runtime import Device, cores_allowed

LOWEST_COSINE = 1 - 1e-5
"""Features of one picture that are farther apart than this are not the same."""
_PICTURES = 4
_PATCHES = 6


@dataclass(frozen=True)
class CheckImages:
    """The same pictures in both forms that engines take.

    Attributes:
        pixels: uint8 [n, h, w, 3].
        tensors: float32 [n, 3, h, w], normalised.
    """

    pixels: NDArray[np.uint8]
    tensors: NDArray[np.float32]

    def of(self, takes: Takes) -> NDArray[Any]:
        """Returns the form that an engine takes."""
        return self.pixels if takes == "pixels" else self.tensors


def check_images(image_size: tuple[int, int], steps: Pipeline) -> CheckImages:
    """Draws pictures: noise, and coloured patches, which networks tell apart better.

    Args:
        image_size: (height, width).
        steps: how a picture is prepared; those from NormalizeImage on are applied.
    """
    height, width = image_size
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (_PICTURES, height, width, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * _PATCHES // height, np.arange(width) * _PATCHES // width
    colours = rng.integers(0, 256, (_PICTURES - 1, _PATCHES, _PATCHES, 3), dtype=np.uint8)
    pixels[1:] = colours[:, rows][:, :, columns]
    last_steps = steps.transforms[len(steps.geometry().transforms) :]
    tensors = []
    for picture in pixels:
        image: NDArray[Any] = picture
        for step in last_steps:
            image = step(image, rng)
        tensors.append(image)
    return CheckImages(pixels, np.stack(tensors))


def lowest_cosine(engine: Engine, images: CheckImages, expected: NDArray[np.float32]) -> float:
    """Compares an engine with features that are known, as one batch and one by one.

    Args:
        engine: what is checked.
        images: the pictures.
        expected: their features [n, d], of any length.

    Returns:
        The lowest cosine; not a number where the engine's features are not.
    """
    given = images.of(engine.takes)
    one_by_one = np.concatenate([engine.run(image[np.newaxis]) for image in given])
    wanted = unit_vectors(expected).astype(np.float64)
    lowest = []
    for features in (engine.run(given), one_by_one):
        cosines = (unit_vectors(features) * wanted).sum(axis=1)
        # A feature of zeros has no direction: it is right when both have none.
        both_zero = ~features.any(axis=1) & ~expected.any(axis=1)
        lowest.append(float(np.where(both_zero, 1.0, cosines).min()))
    return float(np.min(lowest))


def check_engines(
    folder: Path, images: CheckImages, expected: NDArray[np.float32]
) -> dict[str, float]:
    """Checks every engine that is installed and finds its files in a folder.

    Args:
        folder: with an exported model.
        images: the pictures.
        expected: their features [n, d], of any length.

    Returns:
        Engine -> the lowest cosine.

    Raises:
        ModelError: one is below `LOWEST_COSINE`, or an engine cannot open its file.
    """
    cosines = {}
    for name in ready_engines(folder):
        engine = open_engine(name, folder, Device("cpu"), cores_allowed())
        lowest = cosines[name] = lowest_cosine(engine, images, expected)
        if not lowest >= LOWEST_COSINE:
            raise ModelError(
                f"The exported graph does not compute what the network does: with the engine "
                f"{name}, the lowest cosine is {lowest:.7f}, it must be at least {LOWEST_COSINE}. "
                "Nothing was written."
            )
    return cosines
