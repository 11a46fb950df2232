"""Single-file pages: escaping, data URIs, and nothing asked of the network."""

import base64
import io

import numpy as np
import pytest
from jinja2 import TemplateNotFound, UndefinedError
from PIL import Image

from toolkit.reports.page import image_uri, render_page


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_base_page_is_whole_and_has_no_address():
    page = render_page("base.html")
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page


def test_unknown_template_and_missing_name_are_errors():
    with pytest.raises(TemplateNotFound):
        render_page("nothing.html")
    with pytest.raises(UndefinedError):
        render_page("dataset.html")


@pytest.mark.parametrize("shape", [(1, 1), (400, 3), (3, 400), (200, 300)])
def test_image_uri_keeps_the_aspect_and_the_limit(shape):
    pixels = np.full((*shape, 3), (200, 30, 90), np.uint8)
    uri = image_uri(pixels, max_side=100)
    assert uri.startswith("data:image/jpeg;base64,")
    picture = decoded(uri)
    assert max(picture.size) == min(100, max(shape))
    assert np.abs(np.asarray(picture, int) - (200, 30, 90)).max() <= 4
