import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.index.row_sets import RowSets


@given(st.lists(st.sampled_from("abcd"), max_size=9), st.lists(st.sampled_from("abcx"), max_size=9))
def test_equal_keys_are_paired(query_keys, gallery_keys):
    sets = RowSets.from_equal(query_keys, gallery_keys)
    query, row = sets.pairs(0, len(query_keys))
    expected = [
        (i, j) for i, a in enumerate(query_keys) for j, b in enumerate(gallery_keys) if a == b
    ]
    assert list(zip(query.tolist(), row.tolist(), strict=True)) == expected


def test_pairs_of_a_part_are_numbered_from_its_start():
    sets = RowSets.from_lists([[5], [], [2, 1, 2], [7]])
    query, row = sets.pairs(1, 4)
    assert query.tolist() == [1, 1, 2]
    assert row.tolist() == [1, 2, 7]
    assert sets.counts.tolist() == [1, 0, 2, 1]


def test_queries_of_a_class_share_their_rows():
    sets = RowSets.from_equal(["a"] * 1000, ["a"] * 1000)
    assert len(sets) == 1000
    assert len(sets.rows) == 1000
    assert (sets.counts == 1000).all()
    assert np.array_equal(sets.pairs(999, 1000)[1], np.arange(1000))
