import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.data.decode import DecodeError
from toolkit.data.sources import open_sources
from toolkit.errors import DatasetError, FetchError, ImageError

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
BGR = np.ascontiguousarray(RGB[..., ::-1])


def encoded(pixels: np.ndarray = RGB, name: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, name)
    return stream.getvalue()


def no_fetch(address: str) -> bytes:
    pytest.fail(f"{address} was fetched")


def names_and_pixels(items, fetch=no_fetch) -> list[tuple[str | None, np.ndarray]]:
    return [(source.name, source.load()) for source in open_sources(items, fetch=fetch)]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two levels of pictures, with things beside them that are none."""
    (tmp_path / "b").mkdir()
    for name in ("z.png", "a.PNG", "b/m.png"):
        (tmp_path / name).write_bytes(encoded())
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "._z.png").write_bytes(b"a resource fork")
    return tmp_path


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file(folder, kind):
    [(name, pixels)] = names_and_pixels(kind(folder / "z.png"))
    assert name == str(folder / "z.png")
    np.testing.assert_array_equal(pixels, RGB)


def test_a_file_with_any_suffix_is_tried(folder):
    for name in ("picture.data", "picture"):
        (folder / name).write_bytes(encoded())
        [(_, pixels)] = names_and_pixels(str(folder / name))
        np.testing.assert_array_equal(pixels, RGB)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_searched_in_order(folder, kind):
    found = names_and_pixels(kind(folder))
    assert [name for name, _ in found] == [str(folder / n) for n in ("a.PNG", "b/m.png", "z.png")]
    for _, pixels in found:
        np.testing.assert_array_equal(pixels, RGB)


def test_a_relative_name_stays_as_it_was_given(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [name for name, _ in names_and_pixels("z.png")] == ["z.png"]
    assert [name for name, _ in names_and_pixels("b")] == ["b/m.png"]


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/a/photo.png",
        "HTTP://example.com/get?id=3&size=large#top",
        "https://user@example.com:8443/%E5%9B%BE.png?x=a/b.txt",
    ],
)
def test_an_address_is_fetched_when_it_is_loaded(address):
    asked = []

    def fetch(given: str) -> bytes:
        asked.append(given)
        return encoded()

    [source] = open_sources(address, fetch=fetch)
    assert (source.name, asked) == (address, [])
    np.testing.assert_array_equal(source.load(), RGB)
    assert asked == [address]


def test_an_address_that_gives_no_picture_is_an_image_error():
    def unreachable(address: str) -> bytes:
        raise FetchError(f"{address}: no route to host")

    [source] = open_sources("http://example.com/x", fetch=unreachable)
    with pytest.raises(ImageError, match="no route to host"):
        source.load()
    [source] = open_sources("http://example.com/x", fetch=lambda _: b"<html>404</html>")
    with pytest.raises(
        DecodeError, match=r"http://example\.com/x: this is not a picture but an HT"
    ):
        source.load()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes(kind):
    [(name, pixels)] = names_and_pixels(kind(encoded()))
    assert name is None
    np.testing.assert_array_equal(pixels, RGB)


def test_arrays_are_those_of_opencv():
    grey, column = RGB[..., 0], RGB[..., :1]
    alpha = np.dstack([BGR, np.full((6, 8), 255, np.uint8)])
    alpha[0, 0, 3] = 0
    found = names_and_pixels([BGR, grey, column, alpha, BGR[::-1, ::-1]])
    assert [name for name, _ in found] == [None] * 5
    np.testing.assert_array_equal(found[0][1], RGB)
    np.testing.assert_array_equal(found[1][1], np.stack([grey] * 3, axis=2))
    np.testing.assert_array_equal(found[2][1], np.stack([grey] * 3, axis=2))
    over_white = RGB.copy()
    over_white[0, 0] = 255
    np.testing.assert_array_equal(found[3][1], over_white)
    np.testing.assert_array_equal(found[4][1], RGB[::-1, ::-1])


def test_pil_images_are_turned_upright_and_keep_their_name(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(RGB).save(path, exif=exif)
    with Image.open(path) as image:
        [(name, pixels)] = names_and_pixels(image)
    assert name == str(path)
    np.testing.assert_array_equal(pixels, np.rot90(RGB, -1))
    [(name, pixels)] = names_and_pixels(Image.fromarray(RGB))
    assert name is None
    np.testing.assert_array_equal(pixels, RGB)


@pytest.mark.parametrize("kind", [list, tuple, iter, lambda items: (item for item in items)])
def test_several_of_all_kinds(folder, kind):
    items = [str(folder / "z.png"), folder / "b", BGR, Image.fromarray(RGB), encoded()]
    items.append("https://example.com/p.png")
    found = names_and_pixels(kind(items), fetch=lambda _: encoded())
    assert [name for name, _ in found] == [
        str(folder / "z.png"),
        str(folder / "b" / "m.png"),
        None,
        None,
        None,
        "https://example.com/p.png",
    ]
    for _, pixels in found:
        assert (pixels.shape, pixels.dtype) == ((6, 8, 3), np.uint8)
        np.testing.assert_array_equal(pixels, RGB)


def test_an_iterator_is_asked_for_one_item_at_a_time():
    asked = []

    def endless():
        for number in itertools.count():
            asked.append(number)
            yield BGR

    stream = open_sources(endless(), fetch=no_fetch)
    assert asked == []
    for number in range(3):
        next(stream)
        assert asked == list(range(number + 1))


def test_a_bad_picture_does_not_end_the_stream(folder):
    (folder / "bad.png").write_bytes(b"not a picture at all")
    empty = folder / "empty"
    empty.mkdir()
    items = [
        folder / "gone.png",
        folder / "bad.png",
        folder / "gone_folder",
        str(empty),
        "s3://bucket/key.png",
        "",
        "a\0b",
        "x" * 5000,
        b"",
        np.zeros((0, 4, 3), np.uint8),
        folder / "z.png",
    ]
    sources = list(open_sources(items, fetch=no_fetch))
    assert len(sources) == len(items)
    words = ["no such file", "begins with", "no such file or folder", "no picture in this folder"]
    words += [
        "only http",
        "no such file or folder",
        "no such file|cannot be read",
        "cannot be read",
    ]
    words += ["empty", "no pixels"]
    for source, word in zip(sources, words, strict=False):
        with pytest.raises(ImageError, match=word):
            source.load()
    assert [source.name for source in sources[:5]] == [str(item) for item in items[:5]]
    np.testing.assert_array_equal(sources[-1].load(), RGB)


def test_a_single_missing_file_is_an_error_of_that_picture(tmp_path):
    [source] = open_sources(str(tmp_path / "gone.jpg"), fetch=no_fetch)
    with pytest.raises(ImageError, match=r"gone\.jpg: there is no such file"):
        source.load()


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone", "no such file or folder"), ("empty", "no picture in this folder or below it")],
)
def test_a_single_folder_without_pictures_is_an_error_at_once(tmp_path, name, words):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    with pytest.raises(DatasetError, match=words):
        open_sources(str(tmp_path / name), fetch=no_fetch)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (None, "NoneType.*cv2.imread returns None"),
        (3, "of type int; expected a path"),
        ({"a": 1}, "of type dict"),
        ({"a.jpg"}, r"of type set.*Pass list\(\.\.\.\)"),
        (io.BytesIO(b"x"), r"BytesIO.*Pass file\.read\(\)"),
        (np.zeros((4, 4, 3), np.float32), r"array of float32 \[4, 4, 3\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"uint8 \[2, 4, 4, 3\].*list\(array\) for a batch"),
        (np.zeros((4, 4, 2), np.uint8), r"\[4, 4, 2\]"),
        (np.zeros(4, np.uint8), r"\[4\]"),
    ],
)
def test_a_wrong_type_is_an_error_at_once(item, words):
    with pytest.raises(TypeError, match=f"the input is .*{words}"):
        open_sources(item, fetch=no_fetch)
    with pytest.raises(TypeError, match=f"item 1 is .*{words}"):
        open_sources([BGR, item], fetch=no_fetch)
    stream = open_sources(iter([BGR, item]), fetch=no_fetch)
    next(stream)
    with pytest.raises(TypeError, match=f"item 1 is .*{words}"):
        next(stream)


def test_lists_cannot_be_nested():
    with pytest.raises(TypeError, match=r"item 0 is of type list.*cannot be nested"):
        open_sources([[BGR]], fetch=no_fetch)


def test_nothing_gives_nothing():
    assert list(open_sources([], fetch=no_fetch)) == []
