"""The multi-index search finds exactly the pairs that comparing all pairs finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.audit import hamming_search
from toolkit.audit.hamming_search import HammingIndex, different_bits


def all_pairs(queries, codes, radius):
    return [
        (i, j, (int(a) ^ int(b)).bit_count())
        for i, a in enumerate(queries)
        for j, b in enumerate(codes)
        if (int(a) ^ int(b)).bit_count() <= radius
    ]


def found(queries, codes, radius):
    return list(zip(*map(list, HammingIndex(codes).within(queries, radius)), strict=True))


code = st.integers(0, 2**64 - 1)
# Few different codes, and codes a few bits from one another: random ones never meet.
flips = st.sets(st.integers(0, 63), max_size=9).map(lambda bits: sum(1 << b for b in bits))


@st.composite
def neighbours(draw):
    centres = draw(st.lists(code, min_size=1, max_size=3))
    member = st.tuples(st.sampled_from(centres), flips).map(lambda pair: pair[0] ^ pair[1])
    lists = st.lists(member, max_size=12)
    return [np.array(draw(lists), dtype=np.uint64) for _ in range(2)]


@settings(max_examples=60, deadline=None)
@given(sets=neighbours(), radius=st.integers(0, 9))
def test_equals_comparing_all_pairs(sets, radius):
    assert found(*sets, radius) == all_pairs(*sets, radius)


def test_any_four_flipped_bits_are_found():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, 300, dtype=np.uint64)
    masks = [sum(1 << int(bit) for bit in rng.choice(64, 4, replace=False)) for _ in codes]
    flipped = codes ^ np.array(masks, dtype=np.uint64)
    rows, columns, bits = HammingIndex(codes).within(flipped, 4)
    assert list(rows) == list(columns) == list(range(300))
    assert set(bits) == {4}


def test_work_in_small_blocks_gives_the_same(monkeypatch):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, 200, dtype=np.uint64)  # nearly all are the same
    expected = all_pairs(codes, codes, 1)
    monkeypatch.setattr(hamming_search, "_BLOCK_PAIRS", 64)
    assert found(codes, codes, 1) == expected


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (0, 0)])
def test_nothing_to_search(sizes):
    queries, codes = (np.arange(size, dtype=np.uint64) for size in sizes)
    assert found(queries, codes, 4) == []


def test_looks_at_few_candidates(monkeypatch):
    """With codes spread evenly a candidate is rare: far from the square of their number."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    looked_at = 0
    expand = hamming_search._expand

    def counting(*arguments):
        nonlocal looked_at
        for rows, columns in expand(*arguments):
            looked_at += len(rows)
            yield rows, columns

    monkeypatch.setattr(hamming_search, "_expand", counting)
    HammingIndex(codes).within(codes, 4)
    assert looked_at < len(codes) ** 2 / 1000


def test_different_bits():
    left = np.array([0, 2**64 - 1, 0b1010], dtype=np.uint64)
    right = np.array([0, 0, 0b0110], dtype=np.uint64)
    assert list(different_bits(left, right)) == [0, 64, 2]
