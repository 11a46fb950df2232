"""A few pictures of each list with their labels drawn on them."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit import storage
from toolkit.reports.labels import draw_label

_LARGEST_SIDE = 1024
_LONGEST_STEM = 60
_QUALITY = 90


def write_demo_images(
    folder: Path,
    pictures: Iterable[tuple[str, Path, str]],
    read: Callable[[Path], NDArray[np.uint8]],
) -> dict[str, list[str]]:
    """Writes labelled pictures into a folder, which then holds these and no others.

    Args:
        folder: where to; replaced as a whole.
        pictures: (split, picture, label) each.
        read: gives the RGB uint8 [h, w, 3] pixels of a picture.

    Returns:
        split -> file names, all different: ``<split>_<number>_<name of the picture>.jpg``.
    """
    names: dict[str, list[str]] = {}
    with storage.atomic_directory(folder) as temporary:
        for split, path, label in pictures:
            written = names.setdefault(split, [])
            stem = re.sub(r"[^\w.-]+", "_", path.stem)[:_LONGEST_STEM]
            written.append(f"{split}_{len(written) + 1:02d}_{stem}.jpg")
            labelled = draw_label(_shrunk(read(path)), label)
            Image.fromarray(labelled).save(temporary / written[-1], quality=_QUALITY)
    return names


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(picture)
