"""A folder of pictures that goes away: waited for, told once, and given up on in time."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from toolkit.data.picture_files import PictureFiles
from toolkit.data.picture_folder import PictureFolder
from toolkit.data.transforms.geometry import ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError, PicturesGoneError


class Clock:
    """A clock that moves when someone sleeps; at some times, something happens."""

    def __init__(self):
        self.now, self.events = 0.0, {}

    def sleep(self, seconds):
        self.now += seconds
        for time in [time for time in self.events if time <= self.now]:
            self.events.pop(time)()

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pictures(tmp_path, clock):
    """Three pictures in two folders of a mount, which is away."""
    mount, away = tmp_path / "mount", tmp_path / "away"
    paths = [mount / "set" / name for name in ("a/0.png", "a/1.png", "b/2.png")]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
    files = PictureFiles(paths, Pipeline([ResizeImage(8)]))
    files.folder = PictureFolder(paths, 120, sleep=clock.sleep, clock=clock)
    mount.rename(away)
    mount.mkdir()  # what is left of a mount is an empty folder
    return files, lambda: (mount.rmdir(), away.rename(mount))


def test_a_folder_that_comes_back_loses_nothing(pictures, clock, caplog):
    files, come_back = pictures
    clock.events[70] = come_back
    caplog.set_level(logging.INFO)
    assert [int(files.pixels(row).max()) for row in range(3)] == [0, 1, 2]
    assert 70 <= clock.now < 72
    told = [record.message for record in caplog.records if "mount/set" in record.message]
    assert ["gone or empty" in told[0], "still gone after 60 s" in told[1]] == [True, True]
    assert "back after 70 s" in told[2]
    assert len(told) == 3


def test_threads_wait_together_and_one_tells(pictures, clock, caplog):
    files, come_back = pictures
    clock.events[5] = come_back
    with ThreadPoolExecutor(3) as pool:
        assert [int(image.max()) for image in pool.map(files.pixels, range(3))] == [0, 1, 2]
    assert sum("gone or empty" in record.message for record in caplog.records) == 1
    assert clock.now < 7


def test_the_wait_has_an_end(pictures, clock):
    files, _ = pictures
    with pytest.raises(PicturesGoneError, match=r"mount/set.*2 minutes.*resume_path=auto"):
        files.pixels(0)
    assert 120 <= clock.now <= 121


def test_no_patience_is_an_error_at_once(pictures, clock):
    files, _ = pictures
    files.folder = PictureFolder(files._paths, 0, sleep=clock.sleep, clock=clock)
    with pytest.raises(PicturesGoneError):
        files.pixels(0)
    assert clock.now == 0


def test_a_run_that_ends_waits_no_longer(pictures, clock):
    files, _ = pictures
    clock.events[3] = files.give_up_waiting
    with pytest.raises(ImageError, match="no such file"):
        files.pixels(0)
    assert clock.now == 3


def test_one_missing_or_broken_picture_is_not_waited_for(pictures, clock):
    files, come_back = pictures
    come_back()
    files._paths[0].unlink()
    files._paths[1].write_bytes(b"no picture")
    for row in (0, 1):
        with pytest.raises(ImageError):
            files.pixels(row)
    assert clock.now == 0
