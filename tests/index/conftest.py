import numpy as np
import pytest

from toolkit.index import exact, tiles


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 3 queries, products of 2 columns and tiles of 4 columns."""
    monkeypatch.setattr(exact, "QUERY_BLOCK", 3)
    monkeypatch.setattr(tiles, "_PRODUCT_COLUMNS", 2)
    monkeypatch.setattr(exact, "plan_tiles", lambda size, _memory: tiles_of(size, 4))


def tiles_of(size: int, columns: int) -> list[tiles.Tile]:
    return [tiles.Tile(i, min(i + columns, size)) for i in range(0, size, columns)]


@pytest.fixture
def unit_vectors():
    """Makes random unit vectors float32 [n, d]."""

    def make(n: int, d: int, seed: int = 0) -> np.ndarray:
        vectors = np.random.default_rng(seed).standard_normal((n, d))
        return exact.unit_rows(vectors)

    return make
