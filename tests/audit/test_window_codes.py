"""Codes of windows against a cosine transform by its definition, and the table that finds them."""

import numpy as np
import pytest
from planted_dataset import draw

from toolkit.audit import code_table
from toolkit.audit.code_table import CodeTable, cheapest_of_each_pair, different_bits
from toolkit.audit.window_codes import (
    BITS,
    LOW,
    TURN_MASKS,
    TURNS,
    WINDOWS,
    frequencies_along,
    turned,
    whole_frequencies,
    window_codes,
)


def noise(number=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, 32, 32)).astype(np.uint8)


def slow_frequencies(thumbnail, window, fine=40):
    """Sums cosines over many points a pixel of the window; a pixel is constant over its width."""
    top, height, left, width = window
    inside = (np.arange(32 * fine) + 0.5) / (32 * fine)
    ways = (
        np.cos(np.pi * np.arange(8)[:, None] * inside)
        * np.where(np.arange(8) == 0, 1, 2**0.5)[:, None]
    )
    rows = np.minimum(((top + height * inside) * 32).astype(int), 31)
    columns = np.minimum(((left + width * inside) * 32).astype(int), 31)
    return ways @ thumbnail[np.ix_(rows, columns)].astype(float) @ ways.T / (32 * fine) ** 2


@pytest.mark.parametrize("number", [0, 2, 30, 60, 139, 141, 170, len(WINDOWS) - 1])
def test_codes_are_the_signs_of_the_cosine_transform_of_each_window(number):
    thumbnails = noise(1)
    slow = slow_frequencies(thumbnails[0], WINDOWS[number]).ravel()
    code = window_codes(thumbnails)[0, number]
    for bit, value in zip(BITS, slow, strict=True):
        if abs(value) > 0.2:  # the slow sum is an approximation
            assert bool(code & bit) == (value > 0)


def test_frequencies_of_the_whole_are_those_of_the_definition():
    thumbnails = noise(2)
    slow = [slow_frequencies(thumbnail, WINDOWS[0]) for thumbnail in thumbnails]
    assert whole_frequencies(thumbnails) == pytest.approx(np.array(slow), abs=0.02)


def test_windows():
    assert list(WINDOWS[0]) == [0, 1, 0, 1]
    top, height, left, width = WINDOWS.T
    assert np.all(top + height <= 1 + 1e-9)
    assert np.all(left + width <= 1 + 1e-9)
    assert np.all((height == width) | (height == 1) | (width == 1))
    assert len(np.unique(WINDOWS.round(6), axis=0)) == len(WINDOWS)
    assert WINDOWS.min(axis=0) == pytest.approx([0, 0.7, 0, 0.7])


def test_parts_of_a_row_add_up():
    whole = frequencies_along(np.array([0.0]), np.array([1.0]), 1)[0, 0]
    halves = frequencies_along(np.array([0.0, 0.5]), np.array([0.5, 0.5]), 1)[:, 0]
    assert whole == pytest.approx(np.full(32, 1 / 32))
    assert halves.sum(axis=0) == pytest.approx(np.full(32, 1 / 16))


@pytest.mark.parametrize("turn", range(len(TURNS)))
def test_a_turned_picture_has_the_code_with_the_bits_of_its_turn_inverted(turn):
    thumbnails = noise(5, seed=1)
    expected = window_codes(thumbnails)[:, 0] ^ TURN_MASKS[turn]
    assert list(window_codes(turned(thumbnails, turn))[:, 0]) == list(expected)


def test_turned_is_what_numpy_does():
    thumbnails = noise(2)
    flips = [(), (2,), (1,), (1, 2)]
    for turn, axes in enumerate(flips):
        assert np.array_equal(
            turned(thumbnails, turn), np.flip(thumbnails, axes) if axes else thumbnails
        )


def test_the_low_frequencies():
    assert LOW.sum() == 27
    assert not LOW[0]


class TestTable:
    def search(self, codes, queries, frequencies, radius=14):
        return list(
            zip(*map(list, CodeTable(codes).within(frequencies, queries, radius)), strict=True)
        )

    def certain(self, number):
        """Frequencies whose least sure are the eight of highest order among the low ones."""
        order = np.add.outer(np.arange(8), np.arange(8)).astype(np.float32)
        return np.broadcast_to(20 - order, (number, 8, 8)).copy()

    def test_finds_codes_that_differ_in_unsure_and_in_high_bits_only(self):
        rng = np.random.default_rng(3)
        code = rng.integers(0, 2**63, dtype=np.uint64)
        sizes = rng.permutation(64).reshape(1, 8, 8).astype(np.float32) + 1
        low = np.flatnonzero(LOW)
        unsure = low[np.argsort(sizes.ravel()[low])]
        high = np.flatnonzero(~LOW)
        found = code ^ np.bitwise_or.reduce(BITS[[*unsure[:8], *high[:6]]])
        too_far = code ^ np.bitwise_or.reduce(BITS[[*unsure[:8], *high[:7]]])
        sure = code ^ BITS[unsure[8]]
        hits = self.search(np.array([found, too_far, sure]), np.array([code]), sizes)
        assert [hit for hit in hits if hit[2] == 0] == [(0, 0, 0, 14)]

    def test_finds_every_turn(self):
        thumbnails = noise(4, seed=7)
        table = window_codes(np.concatenate([turned(thumbnails[i : i + 1], i) for i in range(4)]))
        hits = self.search(
            table[:, 0], window_codes(thumbnails)[:, 0], whole_frequencies(thumbnails), 0
        )
        assert sorted(hits) == [(number, number, number, 0) for number in range(4)]

    def test_a_crowd_of_equal_codes_costs_little(self):
        codes = np.full(5000, 12345, dtype=np.uint64)
        hits = self.search(codes, codes[:2], self.certain(2), 0)
        assert {hit[0] for hit in hits} == {0, 1}
        assert len(hits) <= 2 * 64

    @pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (0, 0)])
    def test_nothing_to_search(self, sizes):
        codes, queries = (np.arange(size, dtype=np.uint64) for size in sizes)
        assert self.search(codes, queries, self.certain(sizes[1])) == []

    def test_looks_at_few_codes(self, monkeypatch):
        """With codes spread evenly a hit is rare: far from the square of their number."""
        thumbnails = noise(2000, seed=4)
        looked_at = 0
        real = code_table.different_bits

        def counting(left, right):
            nonlocal looked_at
            looked_at += len(left)
            return real(left, right)

        monkeypatch.setattr(code_table, "different_bits", counting)
        codes = window_codes(thumbnails)
        CodeTable(codes.ravel()).within(whole_frequencies(thumbnails), codes[:, 0], 14)
        assert 2000 <= looked_at < codes.size * 2000 / 1000


def test_different_bits():
    left = np.array([0, 2**64 - 1, 0b1010], dtype=np.uint64)
    right = np.array([0, 0, 0b0110], dtype=np.uint64)
    assert list(different_bits(left, right)) == [0, 64, 2]


def test_cheapest_of_each_pair():
    first, second = np.array([1, 2, 2, 5, 1]), np.array([2, 1, 3, 1, 2])
    cost = np.array([4, 3, 9, 0, 5])
    assert sorted(cheapest_of_each_pair(first, second, cost)) == [1, 2, 3]


def test_brightness_and_contrast_change_no_code():
    grey = draw(1, 32, 32)[None, ..., 0]
    changed = (grey * 0.5 + 40).astype(np.uint8)
    bits = different_bits(window_codes(grey)[:, 0], window_codes(changed)[:, 0])
    assert bits[0] <= 2
