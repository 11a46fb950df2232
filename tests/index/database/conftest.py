import numpy as np
import pytest

from toolkit.index.database.opening import create_index

METRICS = ("cosine", "inner_product", "l2", "hamming")


def make_vectors(metric: str, n: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if metric == "hamming":
        return rng.integers(0, 256, (n, dimension // 8), dtype=np.uint8)
    return rng.normal(size=(n, dimension)).astype(np.float32)


def oracle_scores(metric: str, query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Scores of one query, written out in double precision."""
    if metric == "hamming":
        bits = np.unpackbits(query)
        return np.array([(bits == np.unpackbits(vector)).mean() for vector in vectors])
    query, vectors = query.astype(float), vectors.astype(float)
    if metric == "l2":
        return np.array([1 / (1 + np.sqrt(((query - v) ** 2).sum())) for v in vectors])
    products = np.array([(query * v).sum() for v in vectors])
    if metric == "inner_product":
        return products
    lengths = np.array([np.sqrt((v * v).sum()) for v in vectors])
    return products / lengths / np.sqrt((query * query).sum())


@pytest.fixture
def small(tmp_path):
    """Makes a small index with some records, and closes it."""
    opened = []

    def make(metric="cosine", n=50, dimension=16, name="index", **options):
        index = create_index(tmp_path / name, dimension=dimension, metric=metric, **options)
        opened.append(index)
        if n:
            ids = [f"id{number}" for number in range(n)]
            records = [{"label": f"l{number % 5}", "number": number} for number in range(n)]
            index.add(ids, make_vectors(metric, n, dimension), records)
        return index

    yield make
    for index in opened:
        index.close()
