import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.data.dataset import ImageDataset, Item, collate
from toolkit.data.decode import read_rgb
from toolkit.data.transforms.colour import ColorJitter
from toolkit.data.transforms.geometry import PadRandomCrop, RandomRotation, ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, RandomErasing, ToCHWImage
from toolkit.errors import ConfigError

PLAIN = Pipeline([NormalizeImage(scale=1.0, mean=[0.0] * 3, std=[1.0] * 3), ToCHWImage()])
RANDOM = Pipeline(
    [
        PadRandomCrop(12, pad=4),
        RandomRotation(),
        ColorJitter(0.5, 0.5, 0.5, 0.1),
        NormalizeImage(),
        RandomErasing(),
        ToCHWImage(),
    ]
)


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """Six pictures of 12 x 12 pixels; the fourth is cut off."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
    paths[3].write_bytes(paths[3].read_bytes()[:100])
    return paths


def dataset(paths, transforms=RANDOM, seed=5, **options) -> ImageDataset:
    return ImageDataset(paths, [0, 0, 1, 1, 2, 2][: len(paths)], transforms, seed=seed, **options)


def fetch(data: ImageDataset, keys: list[tuple[int, int]]) -> list[np.ndarray | None]:
    return [data[key].image for key in keys]


def test_an_item_is_the_picture_with_its_label(paths):
    item = dataset(paths, PLAIN)[0, 2]
    expected = read_rgb(paths[2]).transpose(2, 0, 1)
    np.testing.assert_array_equal(item.image, expected)
    assert item.image.dtype == np.float32
    assert (item.label, item.index, item.failure) == (1, 2, None)


def test_what_is_random_depends_on_seed_epoch_and_index_alone(paths):
    data = dataset(paths)
    keys = [(epoch, index) for epoch in range(3) for index in (0, 1, 2, 4, 5)]
    images = dict(zip(keys, fetch(data, keys), strict=True))
    shuffled = [keys[k] for k in np.random.default_rng(1).permutation(len(keys))]
    for key, image in zip(shuffled, fetch(data, shuffled), strict=True):
        np.testing.assert_array_equal(image, images[key])
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for key, image in zip(shuffled, pool.submit(fetch, data, shuffled).result(), strict=True):
            np.testing.assert_array_equal(image, images[key])
    assert not np.array_equal(images[0, 0], images[1, 0])
    assert not np.array_equal(images[0, 0], dataset(paths, seed=6)[0, 0].image)
    same = dataset([paths[0]] * 2)
    assert not np.array_equal(same[0, 0].image, same[0, 1].image)


def test_it_can_be_sent_to_a_process(paths):
    data = dataset(paths)
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(copy[2, 1].image, data[2, 1].image)


def test_a_bad_picture_is_named_and_replaced_by_nothing(paths):
    item = dataset(paths)[0, 3]
    assert item.image is None
    assert (item.label, item.index) == (1, 3)
    assert item.failure.startswith(f"{paths[3]}: ")
    assert "ends too early" in item.failure
    gone = dataset([paths[0].with_name("gone.png")])[0, 0]
    assert gone.failure.endswith("gone.png: there is no such file.")
    large = dataset(paths, max_pixels=143)[0, 0]
    assert "at most 143" in large.failure


def test_a_picture_too_small_for_the_transforms_is_named(paths):
    data = dataset(paths, Pipeline([PadRandomCrop(32), NormalizeImage(), ToCHWImage()]))
    assert data[0, 1].image.shape == (3, 32, 32)
    data = dataset(paths, Pipeline([PadRandomCrop(33), NormalizeImage(), ToCHWImage()]))
    assert data[0, 1].failure.startswith(f"{paths[1]}: ")
    assert "ResizeImage" in data[0, 1].failure


def test_turned_classes(paths):
    plain, turned = dataset(paths, PLAIN), dataset(paths, PLAIN, rotate_classes=True)
    assert len(plain) == 6
    assert len(turned) == 24
    for row in (0, 1, 2, 4, 5):
        stored = plain[0, row]
        for quarter in range(4):
            item = turned[0, 4 * row + quarter]
            expected = np.rot90(stored.image, quarter, axes=(1, 2))
            np.testing.assert_array_equal(item.image, expected)
            assert item.label == 4 * stored.label + quarter == turned.labels[4 * row + quarter]
            assert item.index == 4 * row + quarter
    assert len(set(turned.labels)) == 12
    assert turned[0, 13].failure is not None


def test_turning_comes_before_the_transforms(tmp_path):
    path = tmp_path / "wide.png"
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 4:] = 255
    Image.fromarray(wide).save(path)
    steps = Pipeline([ResizeImage([2, 6], "nearest"), *PLAIN.transforms])
    item = ImageDataset([path], [0], steps, seed=0, rotate_classes=True)[0, 1]
    # Turned counter-clockwise the white half is on top, and only then is it resized to 2 x 6.
    assert item.image[0].tolist() == [[255.0] * 2] * 3 + [[0.0] * 2] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([Path("a")], [0, 1], PLAIN, 0), "1 paths and 2 labels"),
        (([], [], Pipeline([]), 0), "end with pixels"),
        (([], [], Pipeline([NormalizeImage()]), 0), "end with values"),
        (([], [], PLAIN, -1), "seed is -1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, words):
    paths, labels, transforms, seed = arguments
    with pytest.raises(ValueError, match=words):
        ImageDataset(paths, labels, transforms, seed=seed)


def item(value: float, index: int, side: int = 2) -> Item:
    return Item(np.full((3, side, side), value, np.float32), 10 + index, index, None)


def test_collate_stacks_what_could_be_read():
    broken = Item(None, 7, 1, "b.jpg: cut off")
    images, labels, indices, failures = collate([item(0.5, 4), broken, item(1.5, 2)])
    assert (images.shape, images.dtype) == ((2, 3, 2, 2), np.float32)
    assert images[:, 0, 0, 0].tolist() == [0.5, 1.5]
    assert labels.tolist() == [14, 12]
    assert indices.tolist() == [4, 2]
    assert labels.dtype == indices.dtype == np.int64
    assert failures == ["b.jpg: cut off"]


def test_collate_of_failures_alone_is_empty():
    batch = collate([Item(None, 0, 0, "a: x"), Item(None, 0, 1, "b: y")])
    assert batch.images.shape == (0, 3, 0, 0)
    assert batch.images.dtype == np.float32
    assert batch.labels.shape == batch.indices.shape == (0,)
    assert batch.labels.dtype == np.int64
    assert batch.failures == ["a: x", "b: y"]


def test_collate_refuses_pictures_of_different_sizes():
    with pytest.raises(ConfigError, match=r"2 x 2, 4 x 4.*ResizeImage"):
        collate([item(0.0, 0), item(0.0, 1, side=4)])
