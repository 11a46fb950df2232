"""One HTML file that carries everything it shows: no network, no folder beside it.

Templates extend ``base.html``, whose header lists the classes that a page may use. Pictures and
figures travel inside the page as data URIs.
"""

import base64
import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jinja2 import Environment

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
