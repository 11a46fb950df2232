import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.metrics.retrieval import (
    concatenate,
    cumulative_match_curve,
    score_classes,
    score_queries,
    values_by_metric,
)

KS = (1, 2, 5, 30)
ONE_LINE_PER_QUERY = st.lists(st.lists(st.booleans(), max_size=12), min_size=1, max_size=8)


def scored(lines, ks=KS):
    ranks = [rank for found in lines for rank in reference.ranks_of_matches(found)]
    counts = np.array([sum(found) for found in lines], np.int64)
    return score_queries(np.array(ranks, np.int64), counts, ks)


@settings(max_examples=200, deadline=None)
@given(ONE_LINE_PER_QUERY)
def test_every_number_equals_its_loop(lines):
    matched = [found for found in lines if any(found)]
    scores = scored(lines)
    values = values_by_metric(scores, KS, recall_k=KS, precision_k=KS)
    expected = {
        **{f"recall{k}": [reference.recall_at(found, k) for found in matched] for k in KS},
        "mAP": [reference.average_precision(found) for found in matched],
        **{
            f"precision_at_{k}": [reference.precision_at(found, k) for found in matched] for k in KS
        },
        "map_at_r": [reference.average_precision_at_r(found) for found in matched],
        "mINP": [reference.inverse_negative_penalty(found) for found in matched],
    }
    assert list(values) == list(expected)
    for name, column in expected.items():
        assert np.allclose(values[name], column, atol=1e-12), name
    assert scores.matched.tolist() == [any(found) for found in lines]
    curve = cumulative_match_curve(scores.first_rank, 15)
    for k, value in enumerate(curve, start=1):
        hits = [reference.recall_at(found, k) for found in matched]
        assert value == pytest.approx(reference.mean(hits) if hits else 0)


def test_a_table_checked_by_eye():
    # Four queries, eight gallery pictures; x is a match.
    #            1 2 3 4 5 6 7 8
    table = [
        list("x.x....."),  # R 2: AP (1 + 2/3) / 2 = 5/6, AP@R 1/2, mINP 2/3
        list("xx......"),  # R 2: perfect
        list(".......x"),  # R 1: AP 1/8, AP@R 0, mINP 1/8
        list("........"),  # no match: not averaged
    ]
    lines = [[cell == "x" for cell in line] for line in table]
    scores = scored(lines)
    assert scores.first_rank.tolist() == [1, 1, 8, 0]
    assert scores.num_relevant.tolist() == [2, 2, 1, 0]
    assert scores.average_precision.tolist() == pytest.approx([5 / 6, 1, 1 / 8, 0])
    assert scores.average_precision_at_r.tolist() == pytest.approx([1 / 2, 1, 0, 0])
    assert scores.inverse_negative_penalty.tolist() == pytest.approx([2 / 3, 1, 1 / 8, 0])
    assert scores.hits.tolist() == [[1, 1, 2, 2], [1, 2, 2, 2], [0, 0, 0, 1], [0, 0, 0, 0]]
    values = values_by_metric(scores, KS, recall_k=(1,), precision_k=(5, 30))
    assert values["recall1"].tolist() == [1, 1, 0]
    assert values["precision_at_5"].tolist() == pytest.approx([2 / 5, 2 / 5, 0])
    # k above the gallery's size divides by k all the same.
    assert values["precision_at_30"].tolist() == pytest.approx([2 / 30, 2 / 30, 1 / 30])
    assert cumulative_match_curve(scores.first_rank, 9).tolist() == pytest.approx(
        [2 / 3] * 7 + [1, 1]
    )


@given(ONE_LINE_PER_QUERY, st.integers(0, 8))
def test_blocks_joined_equal_the_whole(lines, cut):
    whole = scored(lines)
    joined = concatenate([scored(lines[:cut]), scored(lines[cut:])])
    for name in vars(whole):
        assert np.array_equal(getattr(whole, name), getattr(joined, name)), name


def test_classes_are_averaged_by_themselves():
    lines = [[True], [False, True], [False], [True, True], [False]]
    a, b, c = score_classes(["a", "a", "b", "b", "c"], scored(lines))
    assert (a.label, a.queries, a.unmatched, a.recall1) == ("a", 2, 0, 0.5)
    assert a.mean_average_precision == pytest.approx(0.75)
    assert (b.queries, b.unmatched, b.recall1, b.mean_average_precision) == (1, 1, 1.0, 1.0)
    assert (c.queries, c.unmatched, c.recall1, c.mean_average_precision) == (0, 1, None, None)


def test_no_queries_and_no_matches():
    assert cumulative_match_curve(np.zeros(3, np.int64), 4).tolist() == [0] * 4
    assert scored([], ()).hits.shape == (0, 0)
    values = values_by_metric(scored([[False]]), KS, recall_k=(1,), precision_k=())
    assert {name: column.tolist() for name, column in values.items()} == {
        "recall1": [],
        "mAP": [],
        "map_at_r": [],
        "mINP": [],
    }


def test_ranks_must_fit_the_counts():
    with pytest.raises(ValueError, match="3 ranks for 2 relevant"):
        score_queries(np.array([1, 2, 3]), np.array([1, 1]), ())


def test_the_documentation_example():
    scores = score_queries(np.array([1, 3, 8]), np.array([3]), (5,))
    assert scores.average_precision[0] == pytest.approx((1 + 2 / 3 + 3 / 8) / 3)
    assert scores.average_precision_at_r[0] == pytest.approx((1 + 2 / 3) / 3)
    assert scores.inverse_negative_penalty[0] == pytest.approx(3 / 8)
