"""What a picture shows, each as a picture of its own: in given boxes, in found ones, or whole."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.data.rgb import swaps_sides
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service

MOST_PARTS = 100
"""Boxes of one picture that are looked at."""


@dataclass(frozen=True)
class Part:
    """A part of a picture.

    Attributes:
        corners: left, top, right and bottom, in pixels of the picture.
        picture: bytes of an image file that shows nothing else.
        score: how sure the detector is of it; 0 where nobody said so.
    """

    corners: tuple[float, float, float, float]
    picture: bytes
    score: float = 0.0


def parts_of(service: Service, picture: bytes, boxes: object, threshold: float) -> list[Part]:
    """Returns the parts of a picture: those in `boxes`, else what the detector finds, else all.

    Args:
        service: whose detector looks, if it has one.
        picture: bytes of an image file.
        boxes: what the client gave: a list of [left, top, right, bottom]; None for no boxes.
        threshold: how sure the detector must be, 0 to 1.

    Raises:
        Problem: the picture cannot be decoded, or the boxes are malformed.
    """
    header = service.embedder.check(picture)
    if boxes is None and service.detector is None and header.format == "JPEG":
        # Its size is known without its pixels; others may say behind them which side is up.
        sides = (header.width, header.height)
        width, height = sides[::-1] if swaps_sides(header.orientation) else sides
        return [Part((0, 0, width, height), picture)]
    pixels = service.decoder.pixels(picture)
    height, width = pixels.shape[:2]
    if boxes is not None:
        given = _checked(boxes, width, height)
        return [Part(corners, _cut(pixels, corners)) for corners in given]
    found = [] if service.detector is None else service.detector.detect(pixels, threshold)
    parts = [Part(one.corners, _cut(pixels, one.corners), one.score) for one in found[:MOST_PARTS]]
    # PaddleX too: where nothing is found, the picture is the thing.
    return parts or [Part((0, 0, width, height), picture)]


def _checked(boxes: object, width: int, height: int) -> list[tuple[float, float, float, float]]:
    told = Problem(
        Kind.WRONG_VALUE,
        f"boxes: expected a list of 1 to {MOST_PARTS} [left, top, right, bottom] within {width} x "
        f"{height} pixels.",
    )
    if not isinstance(boxes, list) or not 1 <= len(boxes) <= MOST_PARTS:
        raise told
    checked = list[tuple[float, float, float, float]]()
    for corners in boxes:
        if not isinstance(corners, list) or len(corners) != 4 or not all(map(_is_number, corners)):
            raise told
        left, top, right, bottom = map(float, corners)
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise told
        checked.append((left, top, right, bottom))
    return checked


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cut(pixels: NDArray[Any], corners: Sequence[float]) -> bytes:
    """Returns a part of a picture as a file without loss."""
    left, top, right, bottom = corners
    rows = slice(int(np.floor(top)), int(np.ceil(bottom)))
    columns = slice(int(np.floor(left)), int(np.ceil(right)))
    written = io.BytesIO()
    part = Image.fromarray(np.ascontiguousarray(pixels[rows, columns]))
    part.save(written, "PNG", compress_level=0)
    return written.getvalue()
