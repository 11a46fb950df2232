"""Variants of a picture are found among others, and nothing else is."""

import cv2
import numpy as np
import pytest

from toolkit.audit.alignment import agreements, align
from toolkit.audit.look_alikes import look_alikes

SIDE = 160
# Of the picture that is varied among eight others.
CHOSEN = 3


def scene(seed):
    """A picture with detail everywhere, of several sizes, as photographs have."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((SIDE, SIDE), np.float32)
    for cells, strength in ((5, 60), (11, 40), (23, 25)):
        patch = rng.normal(size=(cells, cells)).astype(np.float32) * strength
        pixels += cv2.resize(patch, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels + 128, 0, 255).astype(np.uint8)


def thumbnail(pixels):
    return cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA)


def found(*pictures, radius=14, least=0.92):
    thumbnails = np.stack([thumbnail(pixels) for pixels in pictures])
    return list(look_alikes(thumbnails, radius=radius, least_agreement=least))


def among_others(variant):
    return found(*[scene(seed) for seed in range(8)], variant)


def cut(pixels, top, height, left, width):
    rows, columns = (
        slice(round(a * SIDE), round((a + b) * SIDE)) for a, b in ((top, height), (left, width))
    )
    return pixels[rows, columns]


def test_pictures_of_their_own_are_not_alike():
    assert found(*[scene(seed) for seed in range(30)]) == []


@pytest.mark.parametrize(
    ("change", "turn"),
    [
        (lambda pixels: cv2.resize(pixels, (77, 90), interpolation=cv2.INTER_AREA), 0),
        (lambda pixels: (pixels * 0.7 + 20).astype(np.uint8), 0),
        (lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 1.5), 0),
        (lambda pixels: pixels[:, ::-1], 1),
        (lambda pixels: pixels[::-1], 2),
        (lambda pixels: pixels[::-1, ::-1], 3),
    ],
)
def test_variants_of_the_whole(change, turn):
    (alike,) = among_others(change(scene(CHOSEN)))
    assert {alike.part, alike.whole} == {CHOSEN, 8}
    assert alike.turn == turn
    assert not alike.is_cut
    assert alike.agreement > 0.95


@pytest.mark.parametrize(
    "window",
    [
        (0.05, 0.9, 0.05, 0.9),
        (0.1, 0.8, 0.1, 0.8),
        (0.02, 0.83, 0.13, 0.83),
        (0.17, 0.78, 0.07, 0.78),
        (0.0, 1.0, 0.12, 0.76),
        (0.23, 0.77, 0.0, 1.0),
        (0.3, 0.7, 0.0, 0.7),
    ],
)
@pytest.mark.parametrize("turn", [0, 1])
def test_a_part_is_found_and_how_much_it_shows(window, turn):
    part = cut(scene(CHOSEN), *window)
    (alike,) = among_others(part[:, ::-1] if turn else part)
    assert (alike.part, alike.whole, alike.turn) == (8, CHOSEN, turn)
    assert alike.is_cut
    assert (alike.height, alike.width) == pytest.approx((window[1], window[3]), abs=0.06)


def test_half_a_picture_is_not_that_picture():
    assert among_others(cut(scene(CHOSEN), 0, 0.5, 0, 0.5)) == []


def test_the_coarse_look_is_not_enough():
    """The same light and dark areas with other detail, as of two photographs of one shelf."""
    coarse = cv2.GaussianBlur(scene(CHOSEN), (0, 0), 20).astype(float)
    rng = np.random.default_rng(0)
    fine = cv2.resize(rng.normal(size=(16, 16)) * 40, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    other = np.clip(coarse + fine, 0, 255).astype(np.uint8)
    assert among_others(other) == []


def test_strokes_are_compared_as_they_are():
    """Any stroke is a cut, turned and stretched copy of any other."""
    page = np.full((SIDE, SIDE), 255, np.uint8)
    strokes = [
        cv2.line(page.copy(), (a, 20), (b, 140), 0, 5) for a, b in ((60, 64), (90, 84), (40, 120))
    ]
    strokes.append(strokes[2][:, ::-1])
    strokes.append(cut(strokes[0], 0.1, 0.8, 0.1, 0.8))
    assert found(*strokes) == []
    again = cv2.resize(strokes[2], (120, 120), interpolation=cv2.INTER_AREA)
    (alike,) = found(*strokes, again)
    assert {alike.part, alike.whole} == {2, 5}


def test_both_thresholds_count():
    pixels, noisy = (
        scene(0),
        scene(0).astype(float) + np.random.default_rng(0).normal(size=(SIDE, SIDE)) * 60,
    )
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    assert len(found(pixels, noisy)) == 1
    assert found(pixels, noisy, least=0.9999) == []
    assert len(found(pixels, noisy, radius=0)) <= 1
    off = cut(pixels, 0.023, 0.927, 0.027, 0.927)
    assert len(found(pixels, off)) == 1
    assert found(pixels, off, radius=0) == []


@pytest.mark.parametrize("number", [0, 1])
def test_hardly_anything_to_search(number):
    assert found(*[scene(0)] * number) == [] if number else True
    empty = np.empty((0, 32, 32), np.uint8)
    assert list(look_alikes(empty, radius=14, least_agreement=0.9)) == []


def test_many_copies_are_one_connected_group_at_a_bounded_cost():
    copies = [np.clip(scene(0).astype(int) + shift, 0, 255).astype(np.uint8) for shift in range(60)]
    pairs = found(*copies, *[scene(seed) for seed in range(1, 5)])
    linked = {alike.part for alike in pairs} | {alike.whole for alike in pairs}
    assert linked == set(range(60))


def test_work_in_small_blocks_gives_the_same(monkeypatch):
    pictures = [scene(seed) for seed in range(5)] + [scene(seed)[:, ::-1] for seed in range(5)]
    expected = found(*pictures)
    monkeypatch.setattr("toolkit.audit.look_alikes._PICTURES_A_BLOCK", 3)
    monkeypatch.setattr("toolkit.audit.look_alikes._PAIRS_A_BLOCK", 2)
    again = found(*pictures)
    assert len(expected) == 5
    assert [(a.part, a.whole, a.turn) for a in again] == [
        (a.part, a.whole, a.turn) for a in expected
    ]


def test_agreement_equals_a_slow_sum():
    """Weighted frequencies of the whole, by the definition of the cosine transform."""
    a, b = (thumbnail(scene(seed)) for seed in (0, 1))

    def detail(pixels):
        at = (np.arange(32) + 0.5) / 32
        u = np.arange(16)[:, None]
        # The integral of the cosine over a pixel is its middle times sinc.
        waves = np.cos(np.pi * u * at) * np.sinc(u / 64) * np.where(u == 0, 1, 2**0.5)
        values = waves @ pixels.astype(float) @ waves.T
        values *= np.hypot(*np.indices((16, 16)))
        return values.ravel() / np.linalg.norm(values)

    everything = np.array([[0.0, 1.0, 0.0, 1.0]])
    assert agreements(a[None], b[None], everything)[0] == pytest.approx(
        detail(a) @ detail(b), abs=1e-5
    )


def test_alignment_finds_the_window():
    pixels = scene(5)
    window = np.array([[0.11, 0.8, 0.14, 0.74]])
    part = thumbnail(cut(pixels, *window[0]))[None]
    whole = thumbnail(pixels)[None]
    guess = np.array([[0.13, 0.77, 0.12, 0.78]])
    before = agreements(part, whole, guess)[0]
    aligned, after = align(part, whole, guess)
    assert after[0] > max(before, 0.96)
    assert aligned == pytest.approx(window, abs=0.015)


@pytest.mark.slow
def test_photographs(grocery):
    """Real ones: nearly every variant is found, and nearly nothing else."""
    files = sorted((grocery / "images").glob("*.jpg"))[::40]
    pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    rng = np.random.default_rng(0)

    def crop(pixels):
        height, width = (round(0.8 * side) for side in pixels.shape)
        top, left = (
            rng.integers(0, pixels.shape[0] - height),
            rng.integers(0, pixels.shape[1] - width),
        )
        return pixels[top : top + height, left : left + width]

    variants = [crop(pixels) for pixels in pictures] + [pixels[:, ::-1] for pixels in pictures]
    pairs = {frozenset((a.part, a.whole)) for a in found(*pictures, *variants)}
    number = len(pictures)
    cropped = sum(frozenset((i, number + i)) in pairs for i in range(number))
    mirrored = sum(frozenset((i, 2 * number + i)) in pairs for i in range(number))
    assert cropped >= 0.93 * number
    assert mirrored == number
    strangers = [pair for pair in pairs if len({i % number for i in pair}) == 2]
    assert len(strangers) <= 0.02 * len(pairs)
