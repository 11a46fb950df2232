"""What is measured on a picture, against slow or closed forms."""

import numpy as np
import pytest
from PIL import Image
from planted_dataset import draw

from toolkit.audit.facts import ImageFacts
from toolkit.audit.measure import measure, measure_file
from toolkit.data.decode import Decoded


def picture(pixels):
    return measure(
        Decoded(pixels, format="PNG", mode="RGB", frames=1, orientation=1, has_alpha=False, bits=8)
    )


def test_brightness_percentiles():
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[:1] = 0  # exactly one pixel in a hundred
    assert (picture(pixels).darkest, picture(pixels).brightest) == (0.0, 1.0)
    pixels[0, 0] = 255  # fewer than one in a hundred
    assert picture(pixels).darkest == 1.0
    assert picture(np.full((9, 9, 3), 51, np.uint8)).brightest == 0.2


def test_the_dark_end_is_the_fifth_percentile():
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[:5] = 0
    assert picture(pixels).dark_end == 0.0
    pixels[0, 0] = 255
    assert picture(pixels).dark_end == 1.0


def test_entropy_in_bits():
    assert picture(np.full((20, 30, 3), 77, np.uint8)).entropy == 0.0
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[...] = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert picture(pixels).entropy == 8.0
    assert picture(pixels // 64).entropy == 2.0
    # Two values stay two values when a large picture is looked at with a stride.
    large = np.kron(np.indices((40, 40)).sum(axis=0) % 2, np.ones((40, 40))).astype(np.uint8)
    assert picture(np.repeat(large[..., None] * 200, 3, axis=2)).entropy == pytest.approx(
        1, abs=0.01
    )


def test_edges_are_the_differences_from_the_neighbours_cut_at_black():
    pixels = draw(8, 50, 60)
    grey = pixels[..., 0].astype(int)
    padded = np.pad(grey, 1, mode="reflect")
    around = sum(padded[i : i + 50, j : j + 60] for i in range(3) for j in range(3))
    slow = np.clip(9 * grey - around, 0, 255).std()
    assert picture(np.repeat(pixels[..., :1], 3, axis=2)).edges == pytest.approx(slow, rel=1e-4)
    assert picture(np.full((64, 64, 3), 90, np.uint8)).edges == 0


def test_thumbnail_is_the_mean_of_squares_of_pixels():
    pixels = np.repeat(draw(9, 64, 64)[..., :1], 3, axis=2)
    mean = pixels[..., 0].reshape(32, 2, 32, 2).astype(float).mean(axis=(1, 3))
    thumbnail = np.frombuffer(picture(pixels).thumbnail, np.uint8).reshape(32, 32)
    assert np.abs(thumbnail - mean).max() <= 0.5
    assert picture(pixels).contrast == pytest.approx(pixels[..., 0].std(), abs=0.01)


def test_sharpness_is_the_variance_of_the_laplacian():
    pixels = draw(4, 40, 50)
    grey = picture(np.repeat(pixels[..., :1], 3, axis=2))
    padded = np.pad(pixels[..., 0].astype(int), 1, mode="reflect")
    laplacian = (
        padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        - 4 * padded[1:-1, 1:-1]
    )  # fmt: skip
    assert grey.sharpness == pytest.approx(laplacian.var(), rel=1e-6)


def test_a_large_copy_of_a_picture_scores_like_a_small_one():
    small = np.asarray(
        Image.fromarray(draw(5, 32, 32)).resize((256, 256), Image.Resampling.BICUBIC)
    )
    large = np.asarray(Image.fromarray(small).resize((1024, 1024), Image.Resampling.BICUBIC))
    assert picture(large).sharpness == pytest.approx(picture(small).sharpness, rel=0.3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (700, 1), (2, 3)])
def test_tiny_and_thin_pictures_can_be_measured(shape):
    measured = picture(np.zeros((*shape, 3), np.uint8))
    assert (measured.height, measured.width) == shape
    assert measured.grey
    assert (measured.contrast, measured.entropy, len(measured.thumbnail)) == (0, 0, 1024)


def test_pixel_hash_tells_shapes_apart():
    strip = np.zeros((2, 8, 3), np.uint8)
    assert picture(strip).pixels != picture(strip.reshape(4, 4, 3)).pixels
    assert picture(strip).pixels == picture(strip.copy(order="F")).pixels


def test_one_coloured_pixel_makes_a_picture_coloured():
    pixels = np.repeat(draw(6)[..., :1], 3, axis=2)
    assert picture(pixels).grey
    pixels[37, 41, 2] ^= 1
    assert not picture(pixels).grey


def test_facts_survive_json(tmp_path):
    file = tmp_path / "p.png"
    Image.fromarray(draw(7)).save(file)
    facts = measure_file(file, max_pixels=10**6)
    assert ImageFacts.from_json(facts.to_json()) == facts
    file.write_bytes(b"no")
    failed = measure_file(file, max_pixels=10**6)
    assert ImageFacts.from_json(failed.to_json()) == failed
    assert failed.failure.kind == "not_an_image"


def test_a_huge_file_is_not_read(tmp_path):
    file = tmp_path / "huge.png"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 34)
    assert measure_file(file, max_pixels=100_000_000).failure.kind == "bomb"
