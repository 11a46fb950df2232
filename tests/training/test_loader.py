"""Work ahead of the caller: in order, bounded, and with errors where they belong."""

import threading

import numpy as np
import pytest
from PIL import Image

from toolkit.data.dataset import ImageDataset
from toolkit.data.samplers import UniformSampler
from toolkit.data.transforms.geometry import RandCropImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage
from toolkit.errors import ConfigError
from toolkit.training.loader import BatchLoader, made_ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers):
    gate = threading.Event()

    def make(number: int) -> int:
        if number == 0 and workers > 1:
            gate.wait(10)  # the first is done last
        if number == workers:
            gate.set()
        return number * number

    if workers > 1:
        assert list(made_ahead(make, range(20), workers)) == [n * n for n in range(20)]
    else:
        gate.set()
        assert list(made_ahead(make, range(20), workers)) == [n * n for n in range(20)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_no_more_than_a_few_tasks_are_taken_ahead(workers):
    taken = []
    results = made_ahead(lambda n: n, (taken.append(n) or n for n in range(100)), workers)
    for number in range(10):
        assert next(results) == number
        assert len(taken) <= number + 1 + workers + (workers > 0)
    results.close()
    assert len(taken) < 20


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_in_its_turn(workers):
    def make(number: int) -> int:
        if number == 3:
            raise ConfigError("three")
        return number

    results = made_ahead(make, range(9), workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ConfigError, match="three"):
        next(results)


def test_no_thread_is_left_behind_by_an_epoch_that_was_broken_off():
    before = threading.active_count()
    results = made_ahead(lambda n: n, range(100), 3)
    next(results)
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_threads_change_no_batch(tmp_path, workers):
    rng = np.random.default_rng(1)
    paths = [tmp_path / f"{number}.png" for number in range(13)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    paths[5].write_bytes(b"no picture")
    steps = Pipeline([RandCropImage(16), NormalizeImage(), ToCHWImage()])
    data = ImageDataset(paths, list(range(13)), steps, seed=2)
    loader = BatchLoader(data, UniformSampler(data.labels, 4, 7, drop_last=False), workers)
    for epoch in (1, 3):
        order = np.random.default_rng([7, epoch - 1]).permutation(13)
        found = list(loader.epoch(epoch, 1))
        assert len(found) == len(loader) - 1 == 3
        for number, (images, labels, indices, failures) in enumerate(found, start=1):
            rows = [int(row) for row in order[4 * number : 4 * number + 4]]
            good = [row for row in rows if row != 5]
            assert indices.tolist() == labels.tolist() == good
            assert len(failures) == len(rows) - len(good)
            for image, row in zip(images, good, strict=True):
                np.testing.assert_array_equal(image, data[epoch - 1, row].image)
