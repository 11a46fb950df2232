"""Other structures and other models take their place while searches and writes go on."""

import threading

import numpy as np
import pytest

from tests.index.database.conftest import make_vectors
from tests.index.database.test_kinds import DIMENSION, N, clustered
from toolkit.errors import VectorIndexError
from toolkit.index.database.opening import create_index, open_index


@pytest.fixture
def filled(tmp_path):
    with create_index(tmp_path / "index", dimension=DIMENSION, fingerprint="one") as index:
        index.add([str(n) for n in range(N)], clustered("cosine"), [{"n": n} for n in range(N)])
        yield index


def _new_vectors(entries):
    """What another model makes of a record: it depends on its number alone."""
    numbers = [entry.record["n"] for entry in entries]
    return np.stack([np.random.default_rng(n).normal(size=8) for n in numbers])


def test_a_rebuild_beside_writes_misses_none(filled):
    done, added = threading.Event(), []

    def write():
        while not done.is_set() or len(added) < 5:
            name = f"new{len(added)}"
            filled.upsert(
                [name], make_vectors("cosine", 1, DIMENSION, seed=len(added)), [{"n": -1}]
            )
            added.append(name)
            filled.remove([str(len(added))])

    writer = threading.Thread(target=write)
    writer.start()
    filled.rebuild("hnsw")
    done.set()
    writer.join()
    assert filled.count() == N
    for number, name in enumerate(added):
        vector = make_vectors("cosine", 1, DIMENSION, seed=number)
        assert filled.search(vector)[0][0].id == name
    gone = {str(n + 1) for n in range(len(added))}
    hits = filled.search(clustered("cosine")[1:30], 5)
    assert not gone & {hit.id for its in hits for hit in its}


def test_a_rebuild_can_be_rolled_back_and_keeps_later_writes(filled, tmp_path):
    with pytest.raises(VectorIndexError, match="no earlier generation"):
        filled.roll_back()
    filled.rebuild("sq8")
    filled.add(["later"], make_vectors("cosine", 1, DIMENSION, seed=5))
    filled.roll_back()
    assert filled.facts.kind == "flat"
    assert filled.search(make_vectors("cosine", 1, DIMENSION, seed=5))[0][0].id == "later"
    filled.roll_back()
    assert filled.facts.kind == "sq8"
    filled.close()
    with open_index(tmp_path / "index") as again:
        assert again.facts.kind == "sq8"
        assert again.search(make_vectors("cosine", 1, DIMENSION, seed=5))[0][0].id == "later"


def test_reembedding_gives_every_record_its_new_vector(filled, tmp_path):
    filled.remove(["17"])
    filled.reembed(_new_vectors, dimension=8, fingerprint="two")
    assert (filled.facts.dimension, filled.facts.fingerprint) == (8, "two")
    assert filled.count() == N - 1
    for n in (0, 16, 18, N - 1):
        vector = np.random.default_rng(n).normal(size=(1, 8))
        (hit,) = filled.search(vector, 1)[0]
        assert (hit.id, hit.record) == (str(n), {"n": n})
        assert hit.score == pytest.approx(1, abs=1e-6)
    assert [entry.id for entry in filled.entries({"n": {"lt": 20}})] == [
        str(n) for n in range(20) if n != 17
    ]
    filled.close()
    with pytest.raises(VectorIndexError, match="fingerprint 'two'"):
        open_index(tmp_path / "index", fingerprint="one")
    with open_index(tmp_path / "index", fingerprint="two") as again:
        assert again.count() == N - 1
        again.roll_back()
        assert again.facts.dimension == DIMENSION
        assert again.search(clustered("cosine")[:1])[0][0].id == "0"


def test_writes_while_records_are_reembedded_are_there_after(filled):
    rounds = []

    def embed(entries):
        if len(rounds) == 3:
            filled.upsert(["5"], make_vectors("cosine", 1, DIMENSION), [{"n": 100_005}])
            filled.remove(["6"])
            filled.add(["late"], make_vectors("cosine", 1, DIMENSION), [{"n": 100_000}])
        rounds.append(len(entries))
        return _new_vectors(entries)

    filled.reembed(embed, dimension=8, fingerprint="two")
    assert filled.count() == N
    for name, n in (("5", 100_005), ("late", 100_000), ("7", 7)):
        (hit,) = filled.search(np.random.default_rng(n).normal(size=(1, 8)), 1)[0]
        assert (hit.id, hit.record) == (name, {"n": n})
    assert filled.get(["6"]) == [None]


def test_a_rollback_to_another_model_loses_nothing_unasked(filled):
    filled.reembed(_new_vectors, dimension=8, fingerprint="two")
    filled.add(["later"], np.ones((1, 8)), [{"n": 1}])
    with pytest.raises(VectorIndexError, match="1 records were added and 0 were removed"):
        filled.roll_back()
    assert filled.get(["later"])[0] is not None
    filled.roll_back(discard=True)
    assert filled.count() == N


def test_a_failing_model_leaves_the_index_as_it_was(filled, tmp_path):
    def embed(entries):
        raise OSError("no picture")

    with pytest.raises(OSError, match="no picture"):
        filled.reembed(embed, dimension=8, fingerprint="two")
    assert filled.facts.fingerprint == "one"
    assert filled.search(clustered("cosine")[:1])[0][0].id == "0"
    filled.reembed(_new_vectors, dimension=8, fingerprint="two")
    assert filled.facts.fingerprint == "two"


def test_files_of_generations_that_are_gone_are_removed(filled, tmp_path):
    for kind in ("hnsw", "sq8", "flat"):
        filled.rebuild(kind)
    folder = tmp_path / "index"
    assert [path.name.split("-")[1] for path in folder.glob("structure-*")] == ["3"]
    filled.close()
    (folder / "structure-9-9").mkdir()
    (folder / "records-7.sqlite").touch()
    (folder / "whitening-0.npz").touch()
    open_index(folder).close()
    assert not list(folder.glob("*9-9"))
    assert not list(folder.glob("whitening-*"))
    assert [path.name for path in folder.glob("records-*.sqlite")] == ["records-1.sqlite"]


def test_who_only_reads_follows_who_writes(filled, tmp_path):
    with open_index(tmp_path / "index", read_only=True) as reader:
        vector = make_vectors("cosine", 1, DIMENSION, seed=5)
        filled.upsert(["1", "more"], np.concatenate([vector, vector]), [{"n": 1}, {"n": 2}])
        filled.remove(["2"])
        assert [hit.id for hit in reader.search(vector, 2)[0]] == ["1", "more"]
        assert reader.count() == N
        assert reader.get(["2"]) == [None]
        filled.rebuild("sq8")
        assert reader.search(vector, 2) == filled.search(vector, 2)
        assert reader.facts.kind == "sq8"
        filled.reembed(_new_vectors, dimension=8, fingerprint="two")
        query = np.random.default_rng(2).normal(size=(1, 8))
        assert reader.search(query, 1)[0][0].id == "more"
        for write in (
            lambda: reader.remove(["1"]),
            lambda: reader.rebuild("hnsw"),
            reader.roll_back,
            reader.save,
        ):
            with pytest.raises(VectorIndexError, match="read-only"):
                write()


def test_a_reembedding_that_died_goes_on(filled, tmp_path):
    seen, done = [], []

    def embed(entries):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append([entry.id for entry in entries])
        return _new_vectors(entries)

    with pytest.raises(KeyboardInterrupt):
        filled.reembed(embed, dimension=8, fingerprint="two")
    filled.upsert(["5"], make_vectors("cosine", 1, DIMENSION), [{"n": 100_005}])
    filled.remove(["6"])
    filled.close()
    before = {key for its in seen for key in its}
    with open_index(tmp_path / "index") as again:
        seen.clear()
        seen += [[], [], [], []]
        again.reembed(embed, dimension=8, fingerprint="two", advance=done.append)
        computed = {key for its in seen for key in its}
        assert computed & before == {"5"}
        assert done[0] == len(before)
        assert again.get(["6"]) == [None]
        for name, n in (("5", 100_005), ("7", 7), ("2000", 2000)):
            (hit,) = again.search(np.random.default_rng(n).normal(size=(1, 8)), 1)[0]
            assert (hit.id, hit.record) == (name, {"n": n})
        assert again.count() == N - 1


def test_a_reembedding_with_another_model_begins_anew(filled):
    def fail(entries):
        if entries[0].record["n"] > 600:
            raise OSError("gone")
        return np.ones((len(entries), 8))

    with pytest.raises(OSError, match="gone"):
        filled.reembed(fail, dimension=8, fingerprint="two")
    filled.reembed(_new_vectors, dimension=8, fingerprint="three")
    (hit,) = filled.search(np.random.default_rng(3).normal(size=(1, 8)), 1)[0]
    assert hit.id == "3"


def test_searches_answer_while_a_large_write_becomes_findable(filled, monkeypatch):
    filled.rebuild("hnsw")
    structure, inside, answered = filled._current.live.structure, threading.Event(), []
    real = structure.add

    def add(vectors):
        inside.set()
        real(vectors)

    monkeypatch.setattr(structure, "add", add)
    query, ids = clustered("cosine")[:1], [f"new{n}" for n in range(4000)]
    vectors = make_vectors("cosine", 4000, DIMENSION)
    writer = threading.Thread(target=lambda: filled.add(ids, vectors))
    writer.start()
    inside.wait()
    while filled.count() < N + 4000:
        assert filled.search(query, 1)[0][0].id == "0"
        answered.append(filled.count())
    writer.join()
    # Between the pieces, not only before and behind all of them.
    assert len({count for count in answered if N < count < N + 4000}) >= 3
    assert filled.search(vectors[-1:], 1)[0][0].id == "new3999"


def test_whitened_vectors_are_of_the_model_and_the_whitening(filled, tmp_path):
    filled.whiten(8)
    assert filled.facts.dimension == 8
    assert filled.facts.fingerprint.startswith("one+whitening:")
    with pytest.raises(VectorIndexError, match="whitened once"):
        filled.whiten(4)
    vectors = clustered("cosine")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    whitening = filled.whitening
    assert filled.search(whitening.apply(unit[7:8]), 1)[0][0].id == "7"
    filled.close()
    with pytest.raises(VectorIndexError, match="fingerprint"):
        open_index(tmp_path / "index", fingerprint="two")
    with open_index(tmp_path / "index", fingerprint="one") as again:
        assert (again.whitening.matrix == whitening.matrix).all()
        again.roll_back()
        assert again.whitening is None
        assert again.search(unit[7:8], 1)[0][0].id == "7"
        again.roll_back()
        assert again.whitening is not None
