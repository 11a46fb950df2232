"""One HTML file that carries everything it shows: no network, no folder beside it.

Templates extend ``base.html``, whose header lists the classes that a page may use. Pictures and
figures travel inside the page as data URIs.
"""

import base64
import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def render_page(template: str, **context: Any) -> str:
    """Fills a template of toolkit/reports/templates.

    Text is escaped; a name that the template uses and `context` lacks is an error, not a blank.

    Args:
        template: file name, such as ``dataset.html``.
        **context: what the template shows, plain data.

    Returns:
        The whole page as text.
    """
    return _environment().get_template(template).render(**context)


def image_uri(pixels: NDArray[np.uint8], max_side: int = 160, quality: int = 82) -> str:
    """Turns a picture into a JPEG data URI for an ``<img src>``.

    Args:
        pixels: RGB uint8 [h, w, 3].
        max_side: the longer side afterwards, in pixels; smaller pictures keep their size.
        quality: of the JPEG, 1 to 95.

    Returns:
        ``data:image/jpeg;base64,...``.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, optimize=True)
    return _data_uri("image/jpeg", buffer.getvalue())


def figure_uri(figure: "Figure", kind: Literal["png", "svg"] = "png", dpi: int = 144) -> str:
    """Turns a matplotlib figure into a data URI.

    Args:
        figure: the drawn figure; it is not closed here.
        kind: ``svg`` for a few lines, ``png`` for thousands of points.
        dpi: resolution of a PNG.

    Returns:
        ``data:image/png;base64,...`` or ``data:image/svg+xml;base64,...``.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, bbox_inches="tight")
    return _data_uri("image/svg+xml" if kind == "svg" else "image/png", buffer.getvalue())


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
