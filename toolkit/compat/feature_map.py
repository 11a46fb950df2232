"""A map of pictures: each at its place in a plane, as itself where its file is there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import read_rgb
from toolkit.data.transforms.geometry import ResizeImage
from toolkit.errors import ImageError
from toolkit.storage import atomic_path

_INCHES, _DOTS_PER_INCH = 10.0, 120
# More would hide each other.
_MOST_PICTURES = 400
_THUMBNAIL = 48


def write_map(
    file: Path,
    points: NDArray[np.float64],
    paths: Sequence[str],
    clusters: NDArray[np.int64] | None,
) -> int:
    """Draws a map as PNG.

    Args:
        file: the PNG.
        points: [n, 2].
        paths: of the pictures; those that can be read are drawn small, if they are not too many.
        clusters: [n]; colours the points, and the frames of the pictures.

    Returns:
        How many pictures were drawn as themselves.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, _INCHES), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    numbers = np.zeros(len(points), np.int64) if clusters is None else clusters
    colours = [colormaps["tab20"](int(number) % 20) for number in numbers]
    axes.scatter(points[:, 0], points[:, 1], c=colours, s=12)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{len(points)} pictures along the two directions of most variance")
    drawn = 0
    if len(points) <= _MOST_PICTURES:
        for point, path, colour in zip(points, paths, colours, strict=True):
            drawn += _add_picture(axes, point, path, colour)
    with atomic_path(file) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH)
    return drawn


def _add_picture(axes: Any, point: NDArray[np.float64], path: str, colour: Any) -> bool:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    try:
        pixels = read_rgb(Path(path))
    except ImageError:
        return False
    height, width = pixels.shape[:2]
    factor = _THUMBNAIL / max(height, width)
    small = ResizeImage([max(1, round(width * factor)), max(1, round(height * factor))], "area")
    box = OffsetImage(small.apply(pixels), zoom=72 / _DOTS_PER_INCH)
    axes.add_artist(
        AnnotationBbox(box, (point[0], point[1]), pad=0.1, bboxprops={"edgecolor": colour})
    )
    return True
