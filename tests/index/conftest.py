import numpy as np
import pytest

from tests.index.stores import STORES, Folder, Milvus
from toolkit.index import exact, fixed_point, tiles
from toolkit.index.budget import Span
from toolkit.index.numpy_counting import NumpyCounter


@pytest.fixture(params=["numpy", "compiled"], scope="module")
def counter(request):
    """Has every search count with numpy, then every search with the compiled loops."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        from toolkit.index.compiled_counting import CompiledCounter

        chosen = CompiledCounter
    else:
        chosen = NumpyCounter
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "choose_counter", lambda *_: chosen)
        yield request.param


@pytest.fixture
def cut(monkeypatch):
    """Cuts the work into blocks of queries, tiles of rows and matrix products of a given size."""

    def apply(queries, rows, columns):
        monkeypatch.setattr(fixed_point, "_ROWS_AT_ONCE", max(columns - 1, 1))
        monkeypatch.setattr(tiles, "_COLUMNS", columns)
        monkeypatch.setattr(
            exact,
            "plan",
            lambda num_gallery, pairs, _share: (
                Span(0, len(pairs)).cut(queries),
                Span(0, num_gallery).cut(rows),
            ),
        )

    return apply


@pytest.fixture
def unit_vectors():
    """Makes random unit vectors float32 [n, d]."""

    def make(n: int, d: int, seed: int = 0) -> np.ndarray:
        vectors = np.random.default_rng(seed).standard_normal((n, d))
        return fixed_point.unit_rows(vectors)

    return make


@pytest.fixture(scope="session")
def milvus_file(tmp_path_factory):
    return tmp_path_factory.mktemp("milvus") / "milvus.db"


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    """Where an index is made: a folder, and a collection of Milvus."""
    if request.param == "folder":
        return Folder(tmp_path)
    return Milvus(request.getfixturevalue("milvus_file"))
