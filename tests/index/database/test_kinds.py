"""Every kind with every measure: found, removed, filtered, written and read again."""

import numpy as np
import pytest

from tests.index.database.conftest import METRICS, oracle_scores
from toolkit.errors import RecallTooLowError, VectorIndexError
from toolkit.index.database.opening import create_index, open_index
from toolkit.index.kinds.making import KINDS

N, DIMENSION = 3000, 32
PAIRS = [
    (kind, metric)
    for kind in KINDS
    for metric in METRICS
    if metric != "hamming" or kind not in ("ivf_pq", "sq8")
]


def _marked(kind: str, metric: str):
    """Every kind and every measure runs always; all of their pairs with the slow tests."""
    quick = metric == "cosine" or (metric, kind) in (("hamming", "binary"), ("l2", "hnsw"))
    return pytest.param(kind, metric, marks=() if quick else pytest.mark.slow)


def clustered(metric: str, n: int = N, seed: int = 0) -> np.ndarray:
    """Vectors around centres, as embeddings are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(60, DIMENSION))
    vectors = centres[rng.integers(0, 60, n)] + 0.35 * rng.normal(size=(n, DIMENSION))
    if metric == "hamming":
        bits = np.repeat(vectors > 0, 4, axis=1) ^ (rng.random((n, 4 * DIMENSION)) < 0.1)
        return np.packbits(bits, axis=1)
    return vectors.astype(np.float32)


def recall(metric, index, queries, vectors, rows, k=10, where=None):
    """Share of the true k nearest of some rows that are found; equally near ones count."""
    shares = []
    for query, hits in zip(queries, index.search(queries, k, where=where), strict=True):
        least = np.sort(oracle_scores(metric, query, vectors[rows]))[-k]
        assert len(hits) == k
        shares.append(np.mean([hit.score >= least - 1e-5 for hit in hits]))
    return np.mean(shares)


def check_scores(metric, query, hits, vectors):
    rows = [int(hit.id) for hit in hits]
    assert [hit.score for hit in hits] == pytest.approx(
        oracle_scores(metric, query, vectors[rows]), abs=1e-5
    )
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize(("kind", "metric"), [_marked(*pair) for pair in PAIRS])
def test_a_kind_finds_removes_filters_and_comes_back(tmp_path, kind, metric):
    vectors, queries = clustered(metric), clustered(metric, 25, seed=1)
    dimension = 4 * DIMENSION if metric == "hamming" else DIMENSION
    with create_index(tmp_path / "index", dimension=dimension, metric=metric, kind=kind) as index:
        index.add([str(n) for n in range(N)], vectors, [{"n": n, "half": n % 2} for n in range(N)])
        index.rebuild(kind)
        assert index.facts.kind == kind
        assert index.facts.recall >= 0.95
        everything = np.arange(N)
        unfiltered = recall(metric, index, queries, vectors, everything)
        assert unfiltered >= 0.93
        for query, hits in zip(queries, index.search(queries), strict=True):
            check_scores(metric, query, hits, vectors)

        half = {"half": 1}
        assert recall(metric, index, queries, vectors, everything[1::2], where=half) > (
            unfiltered - 0.02
        )
        narrow = {"n": {"lt": 40}}
        assert recall(metric, index, queries, vectors, everything[:40], where=narrow) == 1

        gone = np.unique([int(hits[0].id) for hits in index.search(queries)])
        index.remove([str(n) for n in gone])
        left = np.setdiff1d(everything, gone)
        found = {int(hit.id) for hits in index.search(queries, 30) for hit in hits}
        assert not found & set(gone.tolist())
        assert recall(metric, index, queries, vectors, left) > unfiltered - 0.02

        index.upsert(["new"], queries[:1], [{"half": 2}])
        assert index.search(queries[:1])[0][0].id == "new"
        before = index.search(queries)
    with open_index(tmp_path / "index") as again:
        assert again.facts.kind == kind
        assert again.search(queries) == before
        again.save()
    with open_index(tmp_path / "index") as once_more:
        assert once_more.search(queries) == before


@pytest.mark.parametrize("kind", ["hnsw", "sq8"])
def test_a_damaged_structure_is_made_anew(tmp_path, kind, caplog):
    vectors = clustered("cosine")
    with create_index(tmp_path / "index", dimension=DIMENSION) as index:
        index.add([str(n) for n in range(N)], vectors)
        index.rebuild(kind)
    (folder,) = (tmp_path / "index").glob("structure-*")
    file = folder / "structure.faiss"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with open_index(tmp_path / "index") as again:
        assert "made anew" in caplog.text
        assert recall("cosine", again, vectors[:20], vectors, np.arange(N)) > 0.9
    file.write_bytes(content[:1000])
    with open_index(tmp_path / "index") as again:
        assert again.count() == N


def test_an_index_of_few_records_compares_them_all(tmp_path):
    vectors = clustered("cosine", 100)
    with create_index(tmp_path / "index", dimension=DIMENSION, kind="ivf_pq") as index:
        index.add([str(n) for n in range(100)], vectors)
        index.rebuild("ivf_pq")
        assert index.facts.kind == "ivf_pq"
        assert recall("cosine", index, vectors, vectors, np.arange(100)) == 1


def test_a_structure_that_finds_too_little_is_refused(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(N, DIMENSION)).astype(np.float32)
    with create_index(tmp_path / "index", dimension=DIMENSION) as index:
        index.add([str(n) for n in range(N)], vectors)
        with pytest.raises(RecallTooLowError, match=r"finds 0\.\d+ of the true ten nearest"):
            index.rebuild("ivf", {"lists": 64, "effort": 1}, min_recall=0.9)
        assert index.facts.kind == "flat"
        assert recall("cosine", index, vectors[:5], vectors, np.arange(N)) == 1


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("hnws", {}, "Unknown kind 'hnws'.*hnsw"),
        ("hnsw", {"lists": 4}, "no option 'lists'"),
        ("ivf", {"lists": 0}, "must be 1 or more"),
        ("sq8", {"candidates": True}, "must be 1 or more"),
    ],
)
def test_a_kind_that_is_not_is_refused(small, kind, options, message):
    with pytest.raises(VectorIndexError, match=message):
        small().rebuild(kind, options)


@pytest.mark.parametrize("kind", ["ivf_pq", "sq8"])
def test_bits_are_not_packed_again(tmp_path, kind):
    with pytest.raises(VectorIndexError, match="bits already"):
        create_index(tmp_path / "index", dimension=64, metric="hamming", kind=kind)
