from collections import Counter

import numpy as np
import pytest
from PIL import Image

from toolkit.build.calibration import read_calibration_images, spread_over_classes
from toolkit.errors import DatasetError


def test_every_beginning_is_spread_evenly_over_the_classes():
    labels = ["a"] * 50 + ["b"] * 3 + ["c"] * 10
    order = spread_over_classes(labels, np.random.default_rng(0))
    assert sorted(order) == list(range(63))
    for size in range(1, 64):
        taken = Counter(labels[row] for row in order[:size])
        left = {name: labels.count(name) - taken[name] for name in "abc"}
        # No class has two pictures more than another one that still has some.
        assert all(
            taken[name] <= taken[other] + 1 for name in taken for other in left if left[other]
        )


def test_the_choice_depends_on_the_seed_and_on_nothing_else():
    labels = [str(number % 5) for number in range(100)]

    def first(seed):
        return spread_over_classes(labels, np.random.default_rng(seed))[:20]

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert set(first(1)) != set(range(20))


def test_pictures_are_prepared_as_for_evaluation_and_stay_bytes(configure, drawn_dataset):
    images = read_calibration_images(configure("Export.calibration_images=6"))
    assert images.shape == (6, 32, 32, 3)
    assert images.dtype == np.uint8
    resized = [
        np.asarray(Image.open(drawn_dataset / f"images/{label}_{number}.png"))
        for label in range(4)
        for number in range(8)
    ]
    # Each is a picture of train.txt made smaller: their means are those of one of them.
    means = np.array([picture.mean(axis=(0, 1)) for picture in resized])
    for image in images:
        assert np.abs(means - image.mean(axis=(0, 1))).max(axis=1).min() < 1.5


def test_fewer_pictures_than_asked_for_will_do(configure):
    assert len(read_calibration_images(configure("Export.calibration_images=999"))) == 32


def test_pictures_that_cannot_be_read_are_replaced(configure, drawn_dataset, tmp_path, caplog):
    rows = (drawn_dataset / "train.txt").read_text(encoding="utf-8").splitlines()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    text = "\n".join(f"{drawn_dataset}/{row}" for row in rows[:3])
    (tmp_path / "train.txt").write_text(f"{tmp_path}/broken.png 0\n{text}\n", encoding="utf-8")
    config = configure("Export.calibration_images=3", dataset=tmp_path)
    assert len(read_calibration_images(config)) == 3
    (tmp_path / "train.txt").write_text(f"{tmp_path}/broken.png 0\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="None of the 1 pictures"):
        read_calibration_images(config)
