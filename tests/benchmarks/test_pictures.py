import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.pictures import Mosaics, SmallPictures


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Six pictures of one colour each, brighter on the left."""
    paths = []
    for number in range(6):
        pixels = np.zeros((40, 60, 3), dtype=np.uint8)
        pixels[..., 1] = 40 * number
        pixels[:, :30, 0] = 200
        paths.append(tmp_path / f"photograph_{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture).astype(int)


def test_small_pictures_are_squares_and_all_different(
    photographs: list[Path], tmp_path: Path
) -> None:
    paths = SmallPictures(12, side=24, quality=90).build(photographs, tmp_path / "small")

    pictures = [read(path) for path in paths]
    assert [picture.shape for picture in pictures] == [(24, 24, 3)] * 12
    assert len({path.read_bytes() for path in paths}) == 12
    # The second time around a photograph is mirrored: bright on the right.
    assert pictures[1][:, :8, 0].mean() > 150
    assert pictures[1][:, -8:, 0].mean() < 50
    np.testing.assert_allclose(pictures[7], pictures[1][:, ::-1], atol=12)


def test_too_few_photographs_are_an_error(photographs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="49 different pictures cannot be made of 6"):
        SmallPictures(49).build(photographs, tmp_path / "small")


def test_a_mosaic_has_different_photographs_in_every_tile(
    photographs: list[Path], tmp_path: Path
) -> None:
    kind = Mosaics(3, width=96, height=64, tile=32)
    paths = kind.build(photographs, tmp_path / "mosaics")

    for path in paths:
        picture = read(path)
        assert picture.shape == (64, 96, 3)
        tiles = picture.reshape(2, 32, 3, 32, 3).transpose(0, 2, 1, 3, 4).reshape(6, 32, 32, 3)
        shades = sorted(round(tile[8:24, 4:28, 1].mean() / 40) for tile in tiles)
        assert shades == [0, 1, 2, 3, 4, 5]
    assert len({path.read_bytes() for path in paths}) == 3


def test_what_is_there_is_not_built_again(photographs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "small"
    paths = SmallPictures(6, side=16).build(photographs, folder)
    os.utime(paths[0], (1, 1))

    assert SmallPictures(4, side=16).build(photographs, folder) == paths[:4]
    assert paths[0].stat().st_mtime == 1

    SmallPictures(4, side=20).build(photographs, folder)
    assert read(paths[0]).shape == (20, 20, 3)


def test_what_was_not_finished_is_built_again(photographs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "small"
    paths = SmallPictures(2, side=16).build(photographs, folder)
    damaged = [*photographs[:1], tmp_path / "not_there.png"]
    with pytest.raises(FileNotFoundError):
        SmallPictures(2, side=20).build(damaged, folder)

    SmallPictures(2, side=16).build(photographs, folder)

    assert [read(path).shape for path in paths] == [(16, 16, 3)] * 2
