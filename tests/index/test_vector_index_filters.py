"""Which records a filter keeps, in a folder and on Milvus."""

import itertools

import numpy as np
import pytest

from tests.index.database.conftest import make_vectors
from toolkit.errors import VectorIndexError
from toolkit.index.database.database import Database

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
        ({"a": {"gt": "1"}}, [7, 8]),
        ({"a": {"le": -5}}, [10]),
        ({"a": {"ne": 1}}, [0, 1, 5, 6, 7, 8, 9, 10]),
        ({"b.c": "x"}, [6]),
        ({"b.c": {"ge": 3}}, [7]),
        ({"it's": 4}, [8]),
        ({"a": "apple", "b.c": 3}, [7]),
        ({"any": [{"a": "1"}, {"b": 7}]}, [5, 9]),
        ({"not": {"a": {"gt": 0}}}, [0, 1, 5, 7, 8, 9, 10]),
        ({"not": {"a": 1}, "a": {"gt": 0}}, [6]),
        ({"not": {"a": [1, None]}}, [5, 6, 7, 8, 9, 10]),
        ({"not": {"a": {"ne": 1}}}, [2, 3, 4]),
        ({"not": {"not": {"a": "1"}}}, [5]),
        ({"not": {"any": [{"a": {"gt": 0}}, {"a": None}]}}, [5, 7, 8, 9, 10]),
        ({"not": {}}, []),
        ({"a": {"ne": None, "lt": 0}}, [10]),
    ],
)
def test_a_filter_keeps_what_it_says(store, where, kept):
    with store.create(dimension=4, fields=("a", "it's")) as index:
        ids = [str(number) for number in range(len(RECORDS))]
        index.add(ids, np.eye(4)[np.arange(len(RECORDS)) % 4], RECORDS)
        expected = [str(number) for number in kept]
        if where == {"a": {"gt": "1"}} and isinstance(index, Database):
            expected.append("9")  # SQLite gives a list as its JSON text
        if "'not'" in str(where) and "'gt'" in str(where) and not isinstance(index, Database):
            expected = [key for key in expected if key != "9"]  # as filters.py of milvus says
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
def test_a_malformed_filter_is_refused(store, where, message):
    index = store.create(dimension=16)
    for ask in (index.count, index.remove_where, lambda w: list(index.entries(w))):
        with pytest.raises(VectorIndexError, match=message):
            ask(where)
    with pytest.raises(VectorIndexError, match=message):
        index.search(make_vectors("cosine", 1), where=where)


def test_a_filter_that_is_remembered_follows_every_write(store):
    index = store.create(dimension=16)
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
