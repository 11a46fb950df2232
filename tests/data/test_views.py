"""Views: grouped by size, repeatable, and nothing lost without a word."""

import numpy as np
import pytest
from PIL import Image

from toolkit.data.packing.picture import SUFFIXES, PackedPicture
from toolkit.data.packing.pixels import PackedPixels
from toolkit.data.packing.plan import Shard
from toolkit.data.packing.reading import packed_in
from toolkit.data.packing.shard import write_shard
from toolkit.data.picture_files import PictureFiles
from toolkit.data.transforms.geometry import RandCropImage, ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage
from toolkit.data.views import ViewDataset, ViewKind
from toolkit.errors import ConfigError

END = [NormalizeImage(), ToCHWImage()]


def crops(size):
    return Pipeline([RandCropImage(size), *END])


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    found = [tmp_path / f"{number}.png" for number in range(4)]
    for path in found:
        Image.fromarray(rng.integers(256, size=(20, 20, 3), dtype=np.uint8)).save(path)
    found[2].write_bytes(b"no picture")
    return found


def dataset(paths, *kinds, seed=3):
    source = PictureFiles(paths, Pipeline([ResizeImage(24)]))
    return ViewDataset(source, [ViewKind(transforms, n) for transforms, n in kinds], seed=seed)


def test_views_are_grouped_by_size_in_the_order_in_which_sizes_come(paths):
    data = dataset(paths, (crops(16), 2), (crops(8), 3), (crops(16), 1))
    batch = data.batch([(0, 0), (0, 2), (0, 3)])
    assert [group.shape for group in batch.images] == [(2, 3, 3, 16, 16), (2, 3, 3, 8, 8)]
    assert batch.labels.tolist() == [-1, -1]
    assert batch.indices.tolist() == [0, 3]
    assert len(batch.failures) == 1
    assert "2.png" in batch.failures[0]
    item = data[0, 3]
    np.testing.assert_array_equal(batch.images[0][1], [item.views[n] for n in (0, 1, 5)])
    np.testing.assert_array_equal(batch.images[1][1], item.views[2:5])


def test_views_depend_on_seed_epoch_and_picture_alone(paths):
    def views(seed, epoch, index):
        return np.stack(dataset(paths, (crops(8), 2), seed=seed)[epoch, index].views)

    first = views(3, 0, 1)
    np.testing.assert_array_equal(first, views(3, 0, 1))
    assert (first[0] != first[1]).any()
    for other in (views(4, 0, 1), views(3, 1, 1), views(3, 0, 0)):
        assert (first != other).any()


def test_a_batch_without_a_readable_picture_is_empty(paths):
    batch = dataset(paths, (crops(8), 2)).batch([(0, 2)])
    assert (batch.images, len(batch.labels), len(batch.failures)) == ((), 0, 1)


def test_views_of_different_sizes_for_different_pictures_are_refused(paths):
    Image.new("RGB", (40, 20)).save(paths[2])
    source = PictureFiles(paths, Pipeline([]))
    data = ViewDataset(source, [ViewKind(Pipeline(END), 2)], seed=0)
    with pytest.raises(ConfigError, match=r"SelfSup\.views"):
        data.batch([(0, 0), (0, 2)])


@pytest.mark.parametrize("packed", ["tfrecord", "webdataset"])
def test_packed_pictures_are_the_pictures(paths, tmp_path, packed):
    pictures = [
        PackedPicture(f"{number:08d}", path.read_bytes(), "png", path.name)
        for number, path in enumerate(paths)
    ]
    name = f"packed{SUFFIXES[packed]}"
    write_shard(tmp_path, Shard(name, "train", []), pictures, packed)
    file = tmp_path / name
    assert packed_in(file) == packed_in(tmp_path) == [file]
    leading = Pipeline([ResizeImage(24)])
    source, files = PackedPixels([file], leading), PictureFiles(paths, leading)
    assert source.num_files == 4
    for row in (3, 0, 1):
        np.testing.assert_array_equal(source.pixels(row), files.pixels(row))
    failure = ViewDataset(source, [ViewKind(crops(8), 2)], seed=0)[0, 2].failure
    assert f"picture 2 of {file}" in failure
