"""What is measured on a picture, against slow or closed forms."""

import numpy as np
import pytest
from PIL import Image
from planted_dataset import draw

from toolkit.audit.facts import ImageFacts
from toolkit.audit.measure import measure, measure_file
from toolkit.audit.perceptual_hash import correlations, perceptual_hash, thumbnail
from toolkit.data.decode import Decoded


def picture(pixels):
    return measure(
        Decoded(pixels, format="PNG", mode="RGB", frames=1, orientation=1, has_alpha=False, bits=8)
    )


def slow_hash(grey):
    """The hash in loops: a DCT-II by its definition on a picture that is 32 x 32 already."""
    k = np.arange(32)
    basis = np.cos(np.pi * (2 * k[None, :] + 1) * k[:8, None] / 64)
    scale = np.where(np.arange(8) == 0, np.sqrt(1 / 32), np.sqrt(2 / 32))
    low = (basis @ grey.astype(np.float64) @ basis.T) * np.outer(scale, scale)
    values = low.ravel()
    middle = np.median(values[1:])
    return int("".join("1" if value > middle else "0" for value in values), 2)


def test_perceptual_hash_equals_the_definition():
    grey = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    assert perceptual_hash(grey) == slow_hash(grey)


def test_perceptual_hash_stays_near_when_a_picture_is_halved_and_darkened():
    grey = draw(1)[..., 0]
    changed = np.asarray(Image.fromarray((grey * 0.8).astype(np.uint8)).reduce(2))
    assert (perceptual_hash(grey) ^ perceptual_hash(changed)).bit_count() <= 2
    other = draw(2)[..., 0]
    assert (perceptual_hash(grey) ^ perceptual_hash(other)).bit_count() > 16


def test_correlations():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 256, (2, 4, 256)).astype(np.uint8)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)]
    assert correlations(first, second) == pytest.approx(expected)
    flat = np.full((1, 256), 9, np.uint8)
    assert correlations(flat, first[:1]) == [0.0]
    half = thumbnail(draw(1)[..., 0]).reshape(1, -1)
    assert correlations(half, half // 2) == pytest.approx(1, abs=1e-3)


def test_brightness_percentiles():
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[:1] = 0  # exactly one pixel in a hundred
    assert (picture(pixels).darkest, picture(pixels).brightest) == (0.0, 1.0)
    pixels[0, 0] = 255  # fewer than one in a hundred
    assert picture(pixels).darkest == 1.0
    assert picture(np.full((9, 9, 3), 51, np.uint8)).brightest == 0.2


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
    assert measured.phash is None


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
