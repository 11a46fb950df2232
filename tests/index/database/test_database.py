import json
import threading

import numpy as np
import pytest

from tests.index.database.conftest import make_vectors
from toolkit.errors import VectorIndexError
from toolkit.index.database.opening import create_index, open_index


def test_a_near_vector_far_from_the_origin_has_its_true_distance(small):
    index = small("l2", n=0, dimension=64)
    vectors = np.random.default_rng(0).normal(1000, 1, (100, 64)).astype(np.float32)
    index.add([str(n) for n in range(100)], vectors)
    queries = vectors[:40] + np.float32(0.25)
    for hits in index.search(queries, 1):
        assert hits[0].distance == pytest.approx(2.0, abs=1e-3)


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


def test_a_text_that_utf_8_cannot_write_comes_back(small):
    index, record = small(n=0), {"path": "\udcff", "苹果": "\\udcff"}
    index.add(["a"], make_vectors("cosine", 1), [record])
    assert index.get(["a"])[0].record == record
    assert index.search(make_vectors("cosine", 1))[0][0].record == record
