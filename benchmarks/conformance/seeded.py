"""Weights and inputs that both sides of a comparison, and later the tests, make anew."""

import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

IMAGE_SIDE = 64


def seeded_values(name: str, shape: tuple[int, ...]) -> Array:
    """Returns the values of one tensor, a function of its name and shape alone.

    Uniform values from PCG64 seeded with the CRC-32 of the name: variances and batch norm's gains
    in [0.5, 1.5], means and biases in [-0.2, 0.2], kernels of fan-in f in +-sqrt(8 / f), images
    in [-2, 2]. With these kernels an image's influence reaches the end of every network, and a
    wrong activation in a gate changes the features by a few percent or more.
    """
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    uniform = generator.random(shape, dtype=np.float64)
    if name.endswith("_variance") or (name.endswith(".weight") and len(shape) == 1):
        values = 0.5 + uniform
    elif len(shape) <= 1:
        values = 0.4 * uniform - 0.2
    elif name.endswith("images"):
        values = 4.0 * uniform - 2.0
    else:
        fan_in = shape[0] if len(shape) == 2 else math.prod(shape[1:])
        values = math.sqrt(8.0 / fan_in) * (2.0 * uniform - 1.0)
    return values.astype(np.float32)


def seeded_images(batch: int = 2, side: int = IMAGE_SIDE) -> Array:
    """Returns the images [batch, 3, side, side] on which networks are compared."""
    return seeded_values("images", (batch, 3, side, side))


def fill(layer: Any, gain: float = 1.0) -> None:
    """Gives every tensor in a Paddle layer's state its seeded values.

    Tensors of whole numbers (an index table) are structure, not weights, and stay.

    Args:
        layer: the network.
        gain: factor on the kernels; a deep network whose branches add up needs less than 1.
    """
    for name, tensor in layer.state_dict().items():
        if "float" not in str(tensor.dtype):
            continue
        values = seeded_values(name, tuple(tensor.shape))
        tensor.set_value(values * np.float32(gain) if values.ndim > 1 else values)
