import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.database.conftest import METRICS, make_vectors, oracle_scores
from toolkit.errors import VectorIndexError
from toolkit.index.database.opening import create_index

RECORDS = [
    {},
    {"a": None},
    {"a": 1},
    {"a": 1.0},
    {"a": True},
    {"a": "1"},
    {"a": 2.5, "b": {"c": "x"}},
    {"a": "apple", "b": {"c": 3}},
    {"a": "苹果", "it's": 4},
    {"a": [1], "b": 7},
    {"a": -(2**40), "b": {"c": None}},
]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({}, range(11)),
        ({"a": 1}, [2, 3, 4]),
        ({"a": True}, [2, 3, 4]),
        ({"a": "1"}, [5]),
        ({"a": None}, [0, 1]),
        ({"a": [1, "苹果"]}, [2, 3, 4, 8]),
        ({"a": {"in": [2.5, None]}}, [0, 1, 6]),
        ({"a": []}, []),
        ({"a": {"gt": 0}}, [2, 3, 4, 6]),
        ({"a": {"ge": 1, "lt": 2.5}}, [2, 3, 4]),
        ({"a": {"gt": "1"}}, [7, 8, 9]),
        ({"a": {"le": -5}}, [10]),
        ({"a": {"ne": 1}}, [0, 1, 5, 6, 7, 8, 9, 10]),
        ({"b.c": "x"}, [6]),
        ({"b.c": {"ge": 3}}, [7]),
        ({"it's": 4}, [8]),
        ({"a": "apple", "b.c": 3}, [7]),
        ({"any": [{"a": "1"}, {"b": 7}]}, [5, 9]),
        ({"not": {"a": {"gt": 0}}}, [0, 1, 5, 7, 8, 9, 10]),
        ({"not": {"a": 1}, "a": {"gt": 0}}, [6]),
    ],
)
def test_a_filter_keeps_what_it_says(tmp_path, where, kept):
    with create_index(tmp_path / "index", dimension=4, fields=("a", "it's")) as index:
        ids = [str(number) for number in range(len(RECORDS))]
        index.add(ids, np.eye(4)[np.arange(len(RECORDS)) % 4], RECORDS)
        expected = [str(number) for number in kept]
        if where == {"a": {"gt": "1"}}:  # SQLite gives a list as its JSON text
            expected = [*expected[:2], *expected[2:]]
        assert [entry.id for entry in index.entries(where)] == expected
        assert index.count(where) == len(expected)
        hits = index.search(np.eye(4)[:1], 20, where=where)[0]
        assert {hit.id for hit in hits} == set(expected)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ([1], "is an object"),
        ({"": 1}, "cannot ask for the field"),
        ({'a"b': 1}, "cannot ask for the field"),
        ({"a": {"gr": 1}}, "Unknown comparison 'gr'"),
        ({"a": {}}, "is empty"),
        ({"a": {"gt": None}}, "null"),
        ({"a": {"in": "text"}}, "takes a list"),
        ({"a": float("nan")}, "JSON data|finite"),
        ({"a": [[1]]}, "must be a text"),
        ({"a": object()}, "JSON data|must be a text"),
        ({"any": {}}, "takes a list of filters"),
        ({1: 2}, "is a text"),
    ],
)
def test_a_malformed_filter_is_refused(small, where, message):
    index = small()
    for ask in (index.count, index.remove_where, lambda w: list(index.entries(w))):
        with pytest.raises(VectorIndexError, match=message):
            ask(where)
    with pytest.raises(VectorIndexError, match=message):
        index.search(make_vectors("cosine", 1), where=where)


def test_a_filter_that_is_remembered_follows_every_write(small):
    index = small(n=0)
    where, expected, counter = {"label": "yes"}, set(), itertools.count()
    rng = np.random.default_rng(0)
    for step in range(40):
        name = f"id{next(counter)}" if step % 3 or not expected else sorted(expected)[0]
        label = "yes" if rng.random() < 0.5 else "no"
        index.upsert([name], make_vectors("cosine", 1, seed=step), [{"label": label}])
        expected = expected - {name} | ({name} if label == "yes" else set())
        if step % 7 == 6 and expected:
            gone = sorted(expected)[-1]
            index.remove([gone])
            expected -= {gone}
        assert index.count(where) == len(expected)
        hits = index.search(make_vectors("cosine", 1), 50, where=where)[0]
        assert {hit.id for hit in hits} == expected


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("share", [0.003, 0.5])
def test_filtered_search_is_the_written_out_one(tmp_path, metric, share):
    n = 10_000
    vectors = make_vectors(metric, n)
    number = int(n * share)
    with create_index(tmp_path / "index", dimension=16, metric=metric) as index:
        index.add([str(i) for i in range(n)], vectors, [{"i": i} for i in range(n)])
        index.remove(["0", str(number - 1), str(number + 5)])
        for query, hits in zip(
            vectors[:2], index.search(vectors[:2], 5, where={"i": {"lt": number}}), strict=True
        ):
            scores = oracle_scores(metric, query, vectors[:number])
            scores[[0, number - 1]] = -np.inf
            best = np.sort(scores)[::-1][:5]
            assert [hit.score for hit in hits] == pytest.approx(best, abs=2e-6)
            assert all(int(hit.id) < number for hit in hits)


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(-3, 3), st.sampled_from("xyz")
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("ab"), _VALUES), max_size=12), _VALUES, _VALUES)
def test_equality_and_lists_are_pythons(tmp_path_factory, records, first, second):
    folder = tmp_path_factory.mktemp("index") / "index"
    with create_index(folder, dimension=2) as index:
        ids = [str(number) for number in range(len(records))]
        index.add(ids, np.ones((len(records), 2)), records)
        for where, keeps in (
            ({"a": first}, lambda r: r.get("a") == first),
            ({"a": [first, second]}, lambda r: r.get("a") in (first, second)),
            ({"a": {"ne": first}}, lambda r: r.get("a") != first),
            (
                {"not": {"a": first, "b": second}},
                lambda r: not (r.get("a") == first and r.get("b") == second),
            ),
        ):
            expected = [key for key, record in zip(ids, records, strict=True) if keeps(record)]
            assert [entry.id for entry in index.entries(where)] == expected
