"""What every index does, in a folder and on Milvus: the same tests for both."""

import numpy as np
import pytest

from tests.index.database.conftest import make_vectors, oracle_scores
from tests.index.stores import EVERY_METRIC, STORES
from toolkit.errors import RecordExistsError, VectorIndexError
from toolkit.index.milvus.collection import MilvusIndex
from toolkit.index.milvus.opening import open_milvus
from toolkit.index.similarity import Similarity


@pytest.fixture
def small(store):
    """Makes a small index with some records, and closes it."""
    opened = []

    def make(metric="cosine", n=50, dimension=16, **options):
        index = store.create(dimension=dimension, metric=metric, **options)
        opened.append(index)
        if n:
            ids = [f"id{number}" for number in range(n)]
            records = [{"label": f"l{number % 5}", "number": number} for number in range(n)]
            index.add(ids, make_vectors(metric, n, dimension), records)
        return index

    yield make
    for index in opened:
        index.close()


@pytest.mark.parametrize(("store", "metric"), EVERY_METRIC, indirect=["store"])
@pytest.mark.parametrize("batch", [1, 40])
def test_search_is_the_written_out_comparison(small, metric, batch):
    index = small(metric, n=200)
    vectors = make_vectors(metric, 200)
    queries = np.concatenate([vectors[:5], make_vectors(metric, batch, seed=1)])[:batch]
    for query, hits in zip(queries, index.search(queries, 7), strict=True):
        scores = oracle_scores(metric, query, vectors)
        order = np.argsort(-scores.round(6), kind="stable")[:7]
        assert [hit.score for hit in hits] == pytest.approx(scores[order], abs=2e-6)
        if metric == "hamming":  # real ties: by the order of writing
            assert [hit.id for hit in hits] == [f"id{row}" for row in order]


@pytest.mark.parametrize(("store", "metric"), EVERY_METRIC, indirect=["store"])
def test_an_identical_vector_is_as_near_as_can_be(small, metric):
    distance, score = {"inner_product": (-25, 25)}.get(metric, (0, 1))
    index = small(metric, n=0, dimension=8)
    vector = np.array([[3, 4, 0, 0, 0, 0, 0, 0]], np.float32)
    if metric == "hamming":
        vector = np.array([[77]], np.uint8)
    index.add(["a"], vector)
    (hit,) = index.search(np.repeat(vector, 30, 0), 3)[0]
    assert (hit.distance, hit.score) == pytest.approx((distance, score), abs=1e-6)


@pytest.mark.parametrize(("store", "metric"), EVERY_METRIC, indirect=["store"])
def test_threshold_keeps_the_near_ones(small, metric):
    index = small(metric, n=100)
    vectors = make_vectors(metric, 100)
    scores = oracle_scores(metric, vectors[3], vectors)
    threshold = float(np.sort(scores)[-5] + np.sort(scores)[-6]) / 2
    expected = {f"id{row}" for row in np.flatnonzero(scores >= threshold)}
    hits = index.search(vectors[3:4], 50, threshold=threshold)[0]
    assert {hit.id for hit in hits} == expected
    assert "id3" in expected


def test_equal_scores_go_by_the_order_of_writing(small):
    index = small(n=0)
    vector = make_vectors("cosine", 1)
    for name in "cab":
        index.add([name], vector)
    assert [hit.id for hit in index.search(vector, 5)[0]] == ["c", "a", "b"]
    index.upsert(["c"], vector)
    assert [hit.id for hit in index.search(vector, 5)[0]] == ["a", "b", "c"]


def test_records_come_back_as_they_were(small):
    index = small(n=0)
    record = {"path": "Äpfel/苹果 1.jpg", "n": [1, 2.5, None, {"a": True}], "": ""}
    index.add(["a"], make_vectors("cosine", 1), [record])
    (entry,) = index.get(["a"])
    assert entry.record == record
    assert index.search(make_vectors("cosine", 1))[0][0].record == record
    assert np.linalg.norm(entry.vector) == pytest.approx(1)


@pytest.mark.parametrize(("store", "metric"), EVERY_METRIC, indirect=["store"])
def test_removed_records_are_not_found(small, metric):
    index = small(metric, n=60)
    vectors = make_vectors(metric, 60)
    gone = [f"id{n}" for n in range(0, 60, 2)]
    assert index.remove([*gone, "never", *gone]) == 30
    assert index.count() == 30
    for batch in (1, 30):
        for hits in index.search(vectors[:batch], 100):
            assert len(hits) == 30
            assert not {hit.id for hit in hits} & set(gone)
    assert index.get(["id0", "id1"])[0] is None
    assert index.remove_where({"label": "l1"}) == 6
    assert index.count() == 24


@pytest.mark.parametrize(("store", "metric"), EVERY_METRIC, indirect=["store"])
def test_reopening_gives_the_same_answers(small, metric, store):
    index = small(metric)
    index.remove(["id7"])
    index.upsert(["id9"], make_vectors(metric, 1, seed=5), [{"new": 1}])
    queries = make_vectors(metric, 30, seed=2)
    before = index.search(queries, 10), index.count(), index.get(["id9"])[0].record
    index.close()
    with store.open() as again:
        assert (again.search(queries, 10), again.count(), again.get(["id9"])[0].record) == before


def test_add_is_all_or_nothing(small):
    index = small(n=3)
    with pytest.raises(RecordExistsError, match="'id1' is there already"):
        index.add(["new", "id1"], make_vectors("cosine", 2))
    with pytest.raises(RecordExistsError, match="'x' is given twice"):
        index.add(["x", "x"], make_vectors("cosine", 2))
    assert index.count() == 3
    assert index.get(["new"]) == [None]


def test_the_last_of_equal_ids_counts_in_upsert(small):
    index = small(n=0)
    index.upsert(["a", "b", "a"], make_vectors("cosine", 3), [{"n": 0}, {"n": 1}, {"n": 2}])
    assert [entry.record["n"] for entry in index.entries()] == [1, 2]


@pytest.mark.parametrize(
    ("ids", "change", "message"),
    [
        ([""], {}, "at least one character"),
        ([7], {}, "Id number 0 is 7"),
        (["\udcff"], {}, "UTF-8"),
        (["a"], {"vectors": np.zeros((1, 16))}, "length 0"),
        (["a"], {"vectors": np.full((1, 16), np.nan)}, "finite"),
        (["a"], {"vectors": np.ones((1, 15))}, r"\[1, 15\].*\[n, 16\]"),
        (["a"], {"vectors": np.ones(16)}, r"shape \[16\]"),
        (["a"], {"vectors": np.array([["x"] * 16])}, "not numbers"),
        (["a", "b"], {}, "2 ids, 1 vectors"),
        (["a"], {"records": [{"x": float("nan")}]}, "record of 'a'"),
        (["a"], {"records": [{"x": {1}}]}, "record of 'a'"),
        (["a"], {"records": ["text"]}, "must be a JSON object"),
    ],
)
def test_what_cannot_be_kept_is_refused(small, ids, change, message):
    index = small(n=0)
    options = {"vectors": np.ones((1, 16)), "records": None, **change}
    for write in (index.add, index.upsert):
        with pytest.raises(VectorIndexError, match=message):
            write(ids, **options)
    assert index.count() == 0


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_k_is_a_whole_number_from_one(small, k):
    with pytest.raises(VectorIndexError, match="at least 1"):
        small().search(make_vectors("cosine", 1), k)


def test_an_empty_index_finds_nothing(small):
    index = small(n=0)
    assert index.search(make_vectors("cosine", 2)) == [[], []]
    assert index.search(np.empty((0, 16), np.float32)) == []
    assert index.count({"a": 1}) == 0
    assert list(index.entries()) == []


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"fingerprint": "other"}, "fingerprint 'mine' and is opened with 'other'"),
        ({"dimension": 32}, "dimension 16 and is opened with 32"),
        ({"metric": "l2"}, "metric 'cosine' and is opened with 'l2'"),
    ],
)
def test_an_index_of_another_model_is_refused(small, store, expected, message):
    small(fingerprint="mine").close()
    with pytest.raises(VectorIndexError, match=message):
        store.open(**expected)
    store.open(fingerprint="mine", dimension=16, metric="cosine").close()


def test_a_text_that_milvus_cannot_keep_is_refused():
    similarity = Similarity("cosine", 2)
    index = MilvusIndex(None, "pictures", similarity, "")
    with pytest.raises(VectorIndexError, match="UTF-8 cannot write"):
        index.add(["a"], np.ones((1, 2)), [{"path": "\udcff"}])
    with pytest.raises(VectorIndexError, match="longer than 1024 bytes"):
        index.upsert(["苹" * 400], np.ones((1, 2)))


@pytest.mark.parametrize("store", STORES[1:], indirect=True)
def test_a_collection_of_another_make_is_refused(store):
    import pymilvus

    with pytest.raises(VectorIndexError, match="has no collection"):
        store.open("never")
    client = pymilvus.MilvusClient(uri=store.file)
    client.create_collection("foreign", dimension=4)
    with pytest.raises(VectorIndexError, match="was not made by this toolkit"):
        open_milvus(store.file, "foreign")
    store.create(dimension=4)
    with pytest.raises(VectorIndexError, match="already; open it"):
        store.create(dimension=4)
    with pytest.raises(VectorIndexError, match="Milvus takes floats"):
        store.create("bits", dimension=8, metric="hamming")
