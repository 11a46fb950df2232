"""The pictures of a report: small, inside the page, and named so that one finds them."""

import logging
from pathlib import Path

import numpy as np

from toolkit.data.decode import read_rgb
from toolkit.errors import ImageError
from toolkit.reports.page import image_uri

_LOG = logging.getLogger(__name__)
_GREY = 160


def picture_uri(path: Path) -> str:
    """Returns a picture for an ``<img src>``; a grey one in place of one that cannot be read."""
    try:
        return image_uri(read_rgb(path))
    except ImageError as error:
        _LOG.warning("The report shows a grey picture: %s", error)
        return grey_uri()


def grey_uri() -> str:
    """Returns the picture that stands for one that is not there."""
    return image_uri(np.full((120, 120, 3), _GREY, np.uint8))


def shown_path(path: Path) -> str:
    """The file and its folder: enough to find a picture, short enough to stand below it."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name
