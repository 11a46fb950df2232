import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.index.order_keys import NOTHING, pack, rows_of, scores_of

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
row = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(finite, row), min_size=2, max_size=20))
def test_keys_order_by_score_descending_then_by_row(pairs):
    scores = np.array([score for score, _ in pairs], np.float32)
    keys = pack(scores, np.array([row for _, row in pairs]))
    for i, a in enumerate(pairs):
        for j, b in enumerate(pairs):
            assert (keys[i] < keys[j]) == ((-a[0], a[1]) < (-b[0], b[1]))


@given(st.lists(st.tuples(finite, row), max_size=20))
def test_a_key_holds_its_two_parts(pairs):
    scores = np.array([score for score, _ in pairs], np.float32)
    rows = np.array([row for _, row in pairs], np.int64)
    keys = pack(scores, rows)
    assert np.array_equal(scores_of(keys), scores)
    assert np.array_equal(rows_of(keys), rows)


@pytest.mark.parametrize("score", [-3.4e38, -1.0, 0.0])
def test_what_is_left_out_stands_behind_every_score_and_nothing_behind_that(score):
    last = pack(np.array([score], np.float32), np.array([2**32 - 1]))
    left_out = pack(np.array([-np.inf], np.float32), np.array([7]))
    assert last < left_out < NOTHING
    assert scores_of(np.array([NOTHING])) == -np.inf


def test_zeros_of_both_signs_are_equal():
    keys = pack(np.array([0.0, -0.0], np.float32), np.array([3, 3]))
    assert keys[0] == keys[1]
    assert not np.signbit(scores_of(keys)).any()
