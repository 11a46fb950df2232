"""Both ways of counting, tile by tile, against a stable sort of everything."""

import numpy as np
import pytest

from toolkit.errors import ExtraError
from toolkit.index import ranking
from toolkit.index.budget import Span, Workers
from toolkit.index.numpy_counting import NumpyCounter

NUM_ROWS, K = 3000, 7
GAP = np.float32(-np.inf)


def scores_like(kind, rng):
    """Draws [5, rows] scores that are hard in one way."""
    normal = rng.standard_normal((5, NUM_ROWS))
    return {
        "random": normal * 0.05,
        "ties": np.round(normal * 2),
        "equal": np.zeros_like(normal),
        "zeros of both signs": np.copysign(0.0, normal),
        "one far away": np.where(np.arange(NUM_ROWS) == 17, 1e30, normal),
        "as large as float32": np.clip(normal * 2e38, -3.4e38, 3.4e38),
        "as small as float32": normal * 1e-44,
        "rising": np.sort(normal, axis=1),
    }[kind].astype(np.float32)


KINDS = [
    "random", "ties", "equal", "zeros of both signs", "one far away", "as large as float32",
    "as small as float32", "rising",
]  # fmt: skip


@pytest.fixture(params=["numpy", "compiled"])
def open_counter(request):
    if request.param == "numpy":
        return NumpyCounter
    pytest.importorskip("numba")
    from toolkit.index.compiled_counting import CompiledCounter

    return CompiledCounter


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tile", [NUM_ROWS, 701])
@pytest.mark.parametrize("share", [0, 0.01, 0.9])
def test_counts_are_those_of_a_sort(open_counter, kind, tile, share):
    rng = np.random.default_rng(0)
    lines = scores_like(kind, rng)
    lines[1, rng.random(NUM_ROWS) < 0.3] = GAP
    lines[2] = GAP
    wanted = [np.flatnonzero(rng.random(NUM_ROWS) < share).astype(np.int64) for _ in lines]
    edges = np.unique(np.concatenate([np.linspace(-1, 1, 21), [-3e38, 2e38]]).astype(np.float32))
    with Workers(2) as workers:
        counter = open_counter(K, edges, workers)
        counter.begin([np.arange(NUM_ROWS)] * 3)  # of another block nothing is left
        counter.begin(wanted)
        tiles = Span(0, NUM_ROWS).cut(tile)
        for finds, counts in [(True, True)] if len(tiles) == 1 else [(True, False), (False, True)]:
            for span in tiles:
                part = np.ascontiguousarray(lines[:, span.start : span.stop])
                counter.sweep(part, span, finds=finds, counts=counts)
        block = counter.result(40)
    ranks, above, relevant_above = [], np.zeros(len(edges)), np.zeros(len(edges))
    for line, rows in zip(lines, wanted, strict=True):
        order = [row for row in np.argsort(-line, kind="stable") if line[row] > GAP]
        rank_of = {row: rank for rank, row in enumerate(order, start=1)}
        ranks.append(sorted(rank_of[row] for row in rows if row in rank_of))
        above += [(line > edge).sum() for edge in edges]
        relevant_above += [(line[rows] > edge).sum() for edge in edges]
        query = len(ranks) - 1
        padded = [*order[:K], *[-1] * (K - len(order[:K]))]
        assert block.top_rows[query].tolist() == padded
        best = [line[row] if row >= 0 else GAP for row in padded]
        assert block.top_scores[query].tolist() == best
    assert block.start == 40
    assert block.ranks.tolist() == [rank for some in ranks for rank in some]
    assert block.counts.tolist() == [len(some) for some in ranks]
    assert block.above.tolist() == above.tolist()
    assert block.relevant_above.tolist() == relevant_above.tolist()
    assert block.num_ranked == (lines > GAP).sum()


def test_a_small_search_and_a_long_answer_need_no_compiler():
    assert ranking.choose_counter(1000, 10) is NumpyCounter
    assert ranking.choose_counter(10**12, 10**4) is NumpyCounter


def test_without_numba_numpy_counts(monkeypatch, caplog):
    def missing():
        raise ExtraError("Ranking with compiled loops needs numba.")

    monkeypatch.setattr(ranking, "_compiled", missing)
    with caplog.at_level("INFO"):
        assert ranking.choose_counter(10**12, 10) is NumpyCounter
    assert "Ranking with numpy. Ranking with compiled loops needs numba." in caplog.text
