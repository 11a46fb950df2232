"""Labels in any script, on pictures of any size, without a download."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from toolkit.reports.histogram import write_histogram
from toolkit.reports.labels import CHINESE_FONT, draw_label, latin_font, runs


def test_each_piece_is_drawn_with_a_font_that_has_it():
    assert runs("苹果 Apple é") == [(CHINESE_FONT, "苹果"), (latin_font(), " Apple é")]
    assert runs("") == []
    assert runs("a\nb") == [(latin_font(), "a\N{REPLACEMENT CHARACTER}b")]


def test_common_chinese_characters_are_in_the_font():
    """The 3,755 characters of the first level of GB 2312: rows 16 to 55 of its table."""
    rows = range(0xB0, 0xD8)
    level_one = [
        bytes([row, column]).decode("gb2312")
        for row in rows
        for column in range(0xA1, 0xFF)
        if (row, column) <= (0xD7, 0xF9)
    ]
    assert len(level_one) == 3755
    assert {font for character in level_one for font, _ in runs(character)} == {CHINESE_FONT}


def test_different_characters_look_different():
    drawn = {draw_label(np.zeros((50, 200, 3), np.uint8), text).tobytes() for text in "苹果酸奶牛"}
    assert len(drawn) == 5


def test_the_picture_below_the_label_is_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    labelled = draw_label(pixels, "牛奶")
    band = labelled.shape[0] - 200
    assert 0 < band < 40
    assert (labelled[band:] == pixels).all()
    assert (labelled[:band] == 255).all(axis=2).any()  # white letters


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (19, 19)])
@pytest.mark.parametrize("text", ["", "x", "很长的标签" * 40, "\x00\ud800"])
def test_any_size_and_any_text(shape, text):
    labelled = draw_label(np.zeros((*shape, 3), np.uint8), text)
    assert labelled.dtype == np.uint8
    assert labelled.shape[1] >= 160


def test_a_tiny_picture_is_enlarged_in_whole_squares():
    labelled = draw_label(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), "x")
    assert (labelled[-80:, :80] == (255, 0, 0)).all()
    assert (labelled[-80:, 80:] == (0, 0, 255)).all()


def test_a_text_that_is_too_long_ends_in_dots():
    pixels = np.zeros((10, 160, 3), np.uint8)
    assert (draw_label(pixels, "a" * 500) == draw_label(pixels, "a" * 900)).all()


def test_histogram_of_any_labels(tmp_path):
    sizes = {
        "train": {"苹果 Apple": 10, "a$b$c": 3, "": 2, "长" * 60: 1, "单 张": 1, " ": 1, "🍎": 1},
        "gallery": {"苹果 Apple": 4},
        "query": {},
    }
    write_histogram(tmp_path / "few.png", sizes)
    write_histogram(tmp_path / "many.png", {"train": {str(n): n for n in range(1, 200)}})
    write_histogram(tmp_path / "none.png", {"train": {}, "gallery": {}, "query": {}})
    for name in ("few", "many", "none"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 1000


def test_drawing_leaves_matplotlib_as_it_was(tmp_path):
    import matplotlib
    from matplotlib import font_manager

    before = dict(matplotlib.rcParams), len(font_manager.fontManager.ttflist)
    write_histogram(tmp_path / "h.png", {"train": {"苹果": 1}})
    assert (dict(matplotlib.rcParams), len(font_manager.fontManager.ttflist)) == before


def test_the_font_comes_with_its_licence():
    licence = CHINESE_FONT.with_name("LICENSE.DroidSansFallbackFull.txt").read_text("utf-8")
    assert "fonts-droid-fallback" in licence
    assert "Apache License" in licence
    assert ImageFont.truetype(str(CHINESE_FONT), 10).getname()[0] == "Droid Sans Fallback"
