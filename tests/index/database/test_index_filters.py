import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.database.conftest import METRICS, make_vectors, oracle_scores
from toolkit.index.database.opening import create_index


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
