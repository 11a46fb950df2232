import json
import threading

import numpy as np
import pytest

from tests.index.database.conftest import METRICS, make_vectors, oracle_scores
from toolkit.errors import RecordExistsError, VectorIndexError
from toolkit.index.database.opening import create_index, open_index


@pytest.mark.parametrize("metric", METRICS)
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


@pytest.mark.parametrize(
    ("metric", "distance", "score"),
    [("cosine", 0, 1), ("l2", 0, 1), ("inner_product", -25, 25), ("hamming", 0, 1)],
)
def test_an_identical_vector_is_as_near_as_can_be(small, metric, distance, score):
    index = small(metric, n=0, dimension=8)
    vector = np.array([[3, 4, 0, 0, 0, 0, 0, 0]], np.float32)
    if metric == "hamming":
        vector = np.array([[77]], np.uint8)
    index.add(["a"], vector)
    (hit,) = index.search(np.repeat(vector, 30, 0), 3)[0]
    assert (hit.distance, hit.score) == pytest.approx((distance, score), abs=1e-6)


def test_a_near_vector_far_from_the_origin_has_its_true_distance(small):
    index = small("l2", n=0, dimension=64)
    vectors = np.random.default_rng(0).normal(1000, 1, (100, 64)).astype(np.float32)
    index.add([str(n) for n in range(100)], vectors)
    queries = vectors[:40] + np.float32(0.25)
    for hits in index.search(queries, 1):
        assert hits[0].distance == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("metric", METRICS)
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
    record = {"path": "Äpfel/苹果 1.jpg", "n": [1, 2.5, None, {"a": True}], "bad": "\udcff"}
    index.add(["a"], make_vectors("cosine", 1), [record])
    (entry,) = index.get(["a"])
    assert entry.record == record
    assert index.search(make_vectors("cosine", 1))[0][0].record == record
    assert np.linalg.norm(entry.vector) == pytest.approx(1)


@pytest.mark.parametrize("metric", METRICS)
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


@pytest.mark.parametrize("metric", METRICS)
def test_reopening_gives_the_same_answers(small, metric, tmp_path):
    index = small(metric)
    index.remove(["id7"])
    index.upsert(["id9"], make_vectors(metric, 1, seed=5), [{"new": 1}])
    queries = make_vectors(metric, 30, seed=2)
    before = index.search(queries, 10), index.count(), index.get(["id9"])[0].record
    index.close()
    with open_index(tmp_path / "index") as again:
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


def test_many_threads_write_and_each_write_is_there(small):
    index = small(n=0)
    failures = []

    def write(number):
        try:
            for step in range(10):
                vector = make_vectors("cosine", 1, seed=100 * number + step)
                index.add([f"{number}-{step}"], vector)
                assert index.search(vector, 1)[0][0].id == f"{number}-{step}"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert index.count() == 80


def test_searches_beside_writes_always_find_what_stays(small):
    index = small(n=40)
    vectors = make_vectors("cosine", 40)
    done, failures = threading.Event(), []

    def search():
        try:
            while not done.is_set():
                for number, hits in enumerate(index.search(vectors[:20], 25)):
                    assert hits[0].id == f"id{number}"
                    assert len(hits) == 25
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(60):
        name = f"id{20 + number % 20}"
        index.upsert([name], make_vectors("cosine", 1, seed=number))
    done.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_one_process_writes(small, tmp_path):
    small()
    with pytest.raises(VectorIndexError, match="open for writing in another process"):
        open_index(tmp_path / "index")


def test_a_closed_index_says_so(small):
    index = small()
    index.close()
    with pytest.raises(VectorIndexError, match="closed"):
        index.add(["new"], make_vectors("cosine", 1))


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"fingerprint": "other"}, "fingerprint 'mine' and is opened with 'other'"),
        ({"dimension": 32}, "dimension 16 and is opened with 32"),
        ({"metric": "l2"}, "metric 'cosine' and is opened with 'l2'"),
    ],
)
def test_an_index_of_another_model_is_refused(small, tmp_path, expected, message):
    small(fingerprint="mine").close()
    with pytest.raises(VectorIndexError, match=message):
        open_index(tmp_path / "index", **expected)
    open_index(tmp_path / "index", fingerprint="mine", dimension=16, metric="cosine").close()


def test_a_folder_that_is_no_index_is_refused(tmp_path, small):
    with pytest.raises(VectorIndexError, match="holds no index"):
        open_index(tmp_path / "nothing")
    small().close()
    with pytest.raises(VectorIndexError, match="holds an index already"):
        create_index(tmp_path / "index", dimension=4)
    header = tmp_path / "index" / "index.json"
    text = header.read_text()
    for damaged, message in (
        (text[:-20], "is damaged"),
        (json.dumps({"format_version": 99}), "format version 99"),
        ("[]", "is damaged"),
    ):
        header.write_text(damaged)
        with pytest.raises(VectorIndexError, match=message):
            open_index(tmp_path / "index")


def test_lost_and_damaged_records_are_told(small, tmp_path):
    small().close()
    records = tmp_path / "index" / "records-1.sqlite"
    records.write_bytes(b"no database" * 2000)
    with pytest.raises(VectorIndexError, match="damaged"):
        open_index(tmp_path / "index")
    records.unlink()
    with pytest.raises(VectorIndexError, match="is not there"):
        open_index(tmp_path / "index")
