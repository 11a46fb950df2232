"""Pictures to pixels where a request needs them itself: a few at a time, whoever asks."""

from threading import BoundedSemaphore

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import decode
from toolkit.data.jpeg import Target
from toolkit.errors import ImageError
from toolkit.serving.problems import Kind, Problem


class Decoder:
    """Decodes pictures; one of 50 megapixels takes 150 MB, so not for all clients at once.

    Args:
        max_pixels: larger pictures are refused by their header.
        at_once: pictures that are decoded at a time.
    """

    def __init__(self, max_pixels: int, at_once: int = 2) -> None:
        self._max_pixels, self._turns = max_pixels, BoundedSemaphore(at_once)

    def pixels(self, picture: bytes, target: Target | None = None) -> NDArray[np.uint8]:
        """Returns uint8 RGB [h, w, 3], upright.

        Args:
            picture: bytes of an image file.
            target: see `toolkit.data.decode.decode`.

        Raises:
            Problem: it cannot be decoded.
        """
        try:
            with self._turns:
                return decode(picture, max_pixels=self._max_pixels, target=target).pixels
        except ImageError as error:
            raise Problem(Kind.BAD_PICTURE, "The picture cannot be decoded.") from error
