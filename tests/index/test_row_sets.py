import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.index.row_sets import RowSets


@given(st.lists(st.sampled_from("abcd"), max_size=9), st.lists(st.sampled_from("abcx"), max_size=9))
def test_equal_keys_are_paired_and_ascend(query_keys, gallery_keys):
    sets = RowSets.from_equal(query_keys, gallery_keys)
    assert len(sets) == len(query_keys)
    for query, key in enumerate(query_keys):
        assert sets.of(query).tolist() == [
            j for j, other in enumerate(gallery_keys) if other == key
        ]
        assert sets.counts[query] == len(sets.of(query))


def test_lists_ascend_and_name_a_row_once():
    sets = RowSets.from_lists([[5], [], [2, 1, 2], [7]])
    assert [sets.of(query).tolist() for query in range(4)] == [[5], [], [1, 2], [7]]
    assert sets.counts.tolist() == [1, 0, 2, 1]


def test_queries_of_a_class_share_their_rows():
    sets = RowSets.from_equal(["a"] * 1000, ["a"] * 1000)
    assert len(sets) == 1000
    assert len(sets.rows) == 1000
    assert (sets.counts == 1000).all()
    assert np.array_equal(sets.of(999), np.arange(1000))
    assert sets.of(999).base is sets.rows
