"""A row becomes a picture, or says why not; nothing that is wrong with one stops the others."""

from pathlib import Path

import pytest
from PIL import Image

from toolkit.data.packing.classes import ClassNumbers
from toolkit.data.packing.picture import PackedPicture
from toolkit.data.packing.preparing import Preparation
from toolkit.data.packing.rows import Row, SkippedRow
from toolkit.data.packing.stored import StoreOptions
from toolkit.errors import FetchError


def fetch(address: str) -> bytes:
    if "none" in address:
        raise FetchError("the host is not there")
    return Path(address.removeprefix("http:/")).read_bytes()


@pytest.fixture
def preparation(tmp_path: Path) -> Preparation:
    (tmp_path / "b").mkdir()
    Image.new("RGB", (40, 20), "red").save(tmp_path / "b" / "k.jpg")
    store = {"train": StoreOptions("jpg", None, 95), "test": StoreOptions("png", 10, 95)}
    return Preparation(tmp_path, ClassNumbers({"a": 5}), store, fetch)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["b/k.jpg", "oss://b/k.jpg", "absolute", "address"])
def test_a_picture_from_anywhere(preparation: Preparation, path: str) -> None:
    there = preparation.root / "b" / "k.jpg"
    path = {"absolute": str(there), "address": f"http:/{there}"}.get(path, path)
    picture = preparation.prepare(Row(12, path, "a"), "train")
    data = there.read_bytes()
    assert picture == PackedPicture("00000012", data, "jpeg", path, 5, "a", 40, 20)


def test_train_and_test_have_their_own_sides(preparation: Preparation) -> None:
    picture = preparation.prepare(Row(3, "b/k.jpg", None), "test")
    assert isinstance(picture, PackedPicture)
    assert (picture.format, picture.width, picture.height) == ("png", 10, 5)
    assert (picture.label, picture.class_name) == (-1, "")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.jpg", "missing"),
        ("b", "unreadable"),
        ("b\0c", "unreadable"),
        ("http://none/a.jpg", "unreachable"),
        ("empty.jpg", "zero_bytes"),
        ("text.jpg", "not_an_image"),
        ("cut.jpg", "truncated"),
    ],
)
def test_a_bad_picture_is_skipped_with_its_reason(
    preparation: Preparation, path: str, reason: str
) -> None:
    root = preparation.root
    (root / "empty.jpg").touch()
    (root / "text.jpg").write_text("no picture at all")
    (root / "cut.jpg").write_bytes((root / "b" / "k.jpg").read_bytes()[:-30])
    skipped = preparation.prepare(Row(7, path, "a"), "train")
    assert isinstance(skipped, SkippedRow)
    assert (skipped.line, skipped.path, skipped.reason) == (7, path, reason)
    assert skipped.message


def test_an_unknown_class_is_not_even_read(preparation: Preparation) -> None:
    skipped = preparation.prepare(Row(7, "none.jpg", "b"), "train")
    assert isinstance(skipped, SkippedRow)
    assert skipped.reason == "unknown_class"
