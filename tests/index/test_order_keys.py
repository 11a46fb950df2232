import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.index import order_keys

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(finite, min_size=2, max_size=20))
def test_bits_order_as_scores_do_the_highest_first(values):
    scores = np.array(values, np.float32)
    bits = order_keys.score_bits(scores)
    for i, a in enumerate(scores):
        for j, b in enumerate(scores):
            assert (bits[i] < bits[j]) == (a > b)
    assert np.array_equal(order_keys.bits_to_scores(bits), scores)


def test_a_key_holds_its_three_parts():
    bits = order_keys.score_bits(np.array([0.25, -0.5], np.float32))
    query, row = np.array([255, 0]), np.array([order_keys.MAX_ROW - 1, 3])
    keys = order_keys.pack(bits, query, row)
    assert np.array_equal(order_keys.bits_of(keys), bits)
    assert order_keys.rows_of(keys).tolist() == row.tolist()
    assert (keys >> np.uint64(56)).tolist() == [255, 0]


@pytest.mark.parametrize("score", [-3.4e38, -1.0, 0.0])
def test_left_out_stands_behind_every_score_of_its_query_only(score):
    bits = order_keys.score_bits(np.array([score], np.float32))
    last = order_keys.pack(bits, np.array([4]), np.array([order_keys.MAX_ROW]))
    left_out = order_keys.left_out_keys(np.array([4]))
    first_of_next = order_keys.pack(np.zeros(1, np.uint32), np.array([5]), np.array([0]))
    assert last < left_out < first_of_next
    assert order_keys.is_left_out(left_out).all()
    assert not order_keys.is_left_out(last).any()
