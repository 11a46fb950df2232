"""Kept pictures: the same pixels as without, of the file as it is now, in bounded room."""

import logging
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolkit.data.picture_cache as cache_module
import toolkit.data.picture_files as files_module
import toolkit.data.picture_sample as sample_module
from toolkit.data.dataset import ImageDataset
from toolkit.data.picture_cache import CachePlan, open_picture_cache
from toolkit.data.picture_sample import Sample
from toolkit.data.transforms.colour import ColorJitter
from toolkit.data.transforms.geometry import RandCropImage, RandFlipImage, ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage

END = [NormalizeImage(), ToCHWImage()]
PIPELINES = {
    "resize first": [ResizeImage(20), RandCropImage(16), RandFlipImage(), ColorJitter(0.3), *END],
    "chance first": [RandCropImage(16), RandFlipImage(), *END],
    "no chance": [ResizeImage([16, 12], "area"), *END],
    "nothing before the numbers": END,
}


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """Seven JPEGs of several sizes, the third of them cut off, and one file that is not there."""
    rng = np.random.default_rng(0)
    files = [tmp_path / "data" / f"{number}.jpg" for number in range(8)]
    files[0].parent.mkdir()
    for number, path in enumerate(files[:7]):
        noise = rng.integers(0, 256, (30 + number, 40 - number, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    files[2].write_bytes(files[2].read_bytes()[:-200])
    return files


@pytest.fixture(autouse=True)
def always_pays(monkeypatch):
    """The pictures of a test are too few to be worth a file; that rule has its own test."""
    monkeypatch.setattr(sample_module, "_LEAST_SECONDS_SAVED", -1e9)
    monkeypatch.setattr(sample_module, "_SMALLEST_GAIN", 0.0)


def dataset(paths, steps, *, turned=False) -> ImageDataset:
    labels = list(range(len(paths)))
    return ImageDataset(paths, labels, Pipeline(steps), seed=4, rotate_classes=turned)


def plan(folder: Path, limit: int = 1 << 30, epochs: int = 3) -> CachePlan:
    return CachePlan(folder / "cache", limit, epochs, workers=2)


def cached(paths, steps, folder, limit=1 << 30, *, turned=False) -> ImageDataset:
    data = dataset(paths, steps, turned=turned)
    data.cache = open_picture_cache(data.pictures(), plan(folder, limit))
    return data


def no_decoding(monkeypatch) -> None:
    """Any further decoding fails the test."""

    def refuse(path, **_):
        raise AssertionError(f"{path} was decoded")

    monkeypatch.setattr(files_module, "read_rgb", refuse)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", PIPELINES)
def test_items_are_the_same_bit_for_bit(paths, tmp_path, name, turned):
    plain = dataset(paths, PIPELINES[name], turned=turned)
    data = cached(paths, PIPELINES[name], tmp_path, turned=turned)
    assert data.cache is not None
    for epoch in (0, 2):
        for index in range(len(plain)):
            expected, found = plain[epoch, index], data[epoch, index]
            assert (found.label, found.index) == (expected.label, expected.index)
            assert found.failure == expected.failure
            if expected.image is None:
                assert found.image is None
            else:
                assert found.image.dtype == expected.image.dtype
                np.testing.assert_array_equal(found.image, expected.image)


def test_what_is_kept_is_not_decoded_again(paths, tmp_path, monkeypatch):
    good = [paths[0], paths[1], paths[3]]
    expected = [dataset(good, PIPELINES["resize first"])[1, index].image for index in range(3)]
    data = cached(good, PIPELINES["resize first"], tmp_path)
    no_decoding(monkeypatch)
    for index in range(3):
        np.testing.assert_array_equal(data[1, index].image, expected[index])


def test_the_next_run_uses_the_file_as_it_is(paths, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    cached(paths, PIPELINES["resize first"], tmp_path)
    (file,) = (tmp_path / "cache").iterdir()
    written = file.stat().st_ino
    assert cached(paths, PIPELINES["resize first"], tmp_path).cache is not None
    assert file.stat().st_ino == written
    assert f"are read from {file}" in caplog.text


def test_a_changed_picture_is_never_served_stale(paths, tmp_path):
    """Even with the size and the times of the old one, and while the run goes on."""
    data = cached(paths, PIPELINES["no chance"], tmp_path)
    before, stat = data[0, 0].image, paths[0].stat()
    content = paths[1].read_bytes().ljust(stat.st_size, b"\0")
    paths[0].write_bytes(content[: stat.st_size])
    os.utime(paths[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found = data[0, 0]
    expected = dataset(paths, PIPELINES["no chance"])[0, 0]
    assert found.failure == expected.failure
    if expected.image is not None:
        np.testing.assert_array_equal(found.image, expected.image)
        assert not np.array_equal(found.image, before)
    paths[1].unlink()
    assert data[0, 1].failure.endswith("there is no such file.")


def test_a_renamed_picture_is_found(paths, tmp_path, monkeypatch):
    good = [paths[0], paths[1], paths[3]]
    cached(good, PIPELINES["resize first"], tmp_path)
    shutil.move(tmp_path / "data", tmp_path / "moved")
    moved = [tmp_path / "moved" / f"other_{path.name}" for path in good]
    for path, new in zip(good, moved, strict=True):
        (tmp_path / "moved" / path.name).rename(new)
    data = cached(moved, PIPELINES["resize first"], tmp_path)
    no_decoding(monkeypatch)
    assert all(data[0, index].image is not None for index in range(3))


def test_failures_are_not_kept_and_may_mend(paths, tmp_path):
    data = cached(paths, PIPELINES["resize first"], tmp_path)
    assert "ends too early" in data[0, 2].failure
    shutil.copy(paths[3], paths[2])
    assert data[0, 2].image is not None


def test_other_steps_and_other_decoders_have_another_file(paths, tmp_path, monkeypatch):
    for steps in PIPELINES.values():
        cached(paths, steps, tmp_path)
    # Nothing before chance and nothing before the numbers are the same: the picture as decoded.
    assert len(list((tmp_path / "cache").iterdir())) == 3
    monkeypatch.setattr(cache_module, "decoder_versions", lambda: ["another"])
    cached(paths, PIPELINES["no chance"], tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_the_file_is_bounded_and_the_rest_is_decoded(paths, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    good = [path for path in paths[:7] if path != paths[2]]
    data = cached(good, PIPELINES["resize first"], tmp_path, limit=5000)
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_size <= 5000
    kept = int(re.search(r"(\d+) of 6 training pictures are kept", caplog.text)[1])
    assert kept == 3  # of 20 x 20 x 3 bytes each, with their rows of the index
    assert "the others are decoded in every epoch" in caplog.text
    plain = dataset(good, PIPELINES["resize first"])
    for index in range(6):
        np.testing.assert_array_equal(data[1, index].image, plain[1, index].image)
    before = file.stat().st_ino
    cached(good, PIPELINES["resize first"], tmp_path, limit=5000)
    assert file.stat().st_ino == before  # full is as good as it gets


def test_all_files_together_are_bounded(paths, tmp_path):
    cached(paths, PIPELINES["resize first"], tmp_path)
    first = {file.name for file in (tmp_path / "cache").iterdir()}
    cached(paths, PIPELINES["chance first"], tmp_path, limit=26_000)
    left = list((tmp_path / "cache").iterdir())
    assert sum(file.stat().st_size for file in left) <= 26_000
    assert not first & {file.name for file in left}


def test_a_grown_list_adds_to_the_file(paths, tmp_path, monkeypatch):
    cached(paths[:2], PIPELINES["resize first"], tmp_path)
    decoded = []
    original = files_module.read_rgb
    monkeypatch.setattr(
        files_module,
        "read_rgb",
        lambda path, **more: decoded.append(path) or original(path, **more),
    )
    good = [paths[1], paths[3], paths[4]]
    data = dataset(good, PIPELINES["resize first"])
    sample = sample_module.measure(data.pictures())
    monkeypatch.setattr(cache_module, "measure", lambda _: sample)
    decoded.clear()
    data.cache = open_picture_cache(data.pictures(), plan(tmp_path))
    assert sorted(decoded) == [paths[3], paths[4]]
    # And what only the other list has stays, for there is room.
    no_decoding(monkeypatch)
    other = dataset(paths[:2], PIPELINES["resize first"])
    other.cache = data.cache
    assert other[0, 0].image is not None


def test_a_damaged_file_is_made_again(paths, tmp_path, caplog):
    cached(paths, PIPELINES["resize first"], tmp_path)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    data = cached(paths, PIPELINES["resize first"], tmp_path)
    assert "cut off or damaged" in caplog.text
    expected = dataset(paths, PIPELINES["resize first"])[0, 0].image
    np.testing.assert_array_equal(data[0, 0].image, expected)


def test_a_folder_that_cannot_be_written_is_a_warning(paths, tmp_path, caplog):
    (tmp_path / "cache").write_bytes(b"a file in the way")
    data = cached(paths, PIPELINES["resize first"], tmp_path)
    assert data.cache is None
    assert "are not kept" in caplog.text


def test_nothing_is_kept_when_it_is_not_wanted(paths, tmp_path):
    assert cached(paths, PIPELINES["resize first"], tmp_path, limit=0).cache is None
    data = dataset(paths, PIPELINES["resize first"])
    assert open_picture_cache(data.pictures(), plan(tmp_path, epochs=2)) is None
    assert list((tmp_path / "cache").iterdir()) == []
    assert cached([paths[2], paths[7]], PIPELINES["resize first"], tmp_path).cache is None


@pytest.mark.parametrize(
    ("decoding", "reading", "count", "epochs", "expected"),
    [
        (2e-3, 1e-4, 2589, 18, True),
        (2e-3, 1e-4, 2589, 2, False),  # too few epochs
        (2e-3, 1.1e-3, 2589, 18, False),  # reading costs more than half of decoding
        (2e-3, 1e-4, 30, 18, False),  # a second in all
        (2e-3, 1e-4, 62, 18, True),
    ],
)
def test_when_a_file_pays(monkeypatch, caplog, decoding, reading, count, epochs, expected):
    monkeypatch.undo()
    caplog.set_level(logging.INFO)
    assert Sample([b"k"], 1000.0, decoding, reading).pays(count, epochs) is expected
    saved = round((epochs - 1) * count * (decoding - reading))
    assert f"that is {saved} s of one core" in caplog.text
    assert caplog.text.strip().endswith("not kept." if not expected else "are kept.")
