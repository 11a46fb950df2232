import threading

import numpy as np
import pytest

from toolkit.index.budget import Budget, Span, Workers, plan


def joined(spans):
    return [row for span in spans for row in range(span.start, span.stop)]


@pytest.mark.parametrize("size", [1, 3, 7, 8, 100])
def test_cutting_loses_nothing(size):
    pieces = Span(5, 12).cut(size)
    assert joined(pieces) == list(range(5, 12))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert Span(5, 5).cut(size) == []


@pytest.mark.parametrize("num_gallery", [0, 1, 1000, 50_000, 3_000_000])
@pytest.mark.parametrize("memory_mib", [1, 64, 768])
def test_a_plan_covers_everything_and_keeps_to_its_memory(num_gallery, memory_mib):
    pairs = np.random.default_rng(0).integers(0, 5000, 3000)
    pairs[7] = 10**9  # more than there is memory for: a block of its own
    blocks, tiles = plan(num_gallery, pairs, Budget(memory_mib).share)
    assert joined(blocks) == list(range(3000))
    assert sum(map(len, tiles)) == num_gallery
    assert [tile.start for tile in tiles[1:]] == [tile.stop for tile in tiles[:-1]]
    share = (memory_mib << 20) // 3
    widest = max(map(len, tiles), default=0)
    for block in blocks:
        assert len(block) * widest * 4 <= share
        assert len(block) == 1 or 128 * pairs[block.start : block.stop].sum() <= share


def test_a_gallery_that_fits_is_one_tile():
    blocks, tiles = plan(50_000, np.full(50_000, 50), Budget().share)
    assert tiles == [Span(0, 50_000)]
    assert len(blocks[0]) == 1024
    assert plan(500_000, np.zeros(9, int), Budget().share)[1] == [Span(0, 500_000)]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_workers_share_the_work_and_pass_errors_on(threads, count):
    done, lock = [], threading.Lock()

    def work(piece):
        with lock:
            done.extend(range(piece.start, piece.stop))

    def fail(_piece):
        raise KeyError("from a thread")

    with Workers(threads) as workers:
        workers.share(count, work)
        assert sorted(done) == list(range(count))
        if count:
            with pytest.raises(KeyError, match="from a thread"):
                workers.share(count, fail)


@pytest.mark.parametrize("field", ["memory_mib", "threads"])
def test_a_budget_of_nothing_is_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, not 0"):
        Budget(**{field: 0})
