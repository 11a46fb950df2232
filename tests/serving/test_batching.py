import threading
from collections.abc import Sequence

import pytest

from toolkit.serving.batching import MicroBatcher
from toolkit.serving.problems import Kind, Problem


class _Held:
    """Runs batches one at a time, each when it is let go."""

    def __init__(self) -> None:
        self.batches = list[list[int]]()
        self.began, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.began.release()
        assert self.go.acquire(timeout=5)
        return [ValueError(str(item)) if item < 0 else item * 10 for item in items]


def test_what_gathers_while_the_network_is_busy_is_one_batch() -> None:
    held = _Held()
    batcher = MicroBatcher(held, batch_size=4, queue_size=100, threads=1)
    first = batcher.submit(1)
    assert held.began.acquire(timeout=5)
    others = [batcher.submit(item) for item in (2, 3, -4, 5, 6)]
    for _ in range(3):
        held.go.release()
    assert first.result(5) == 10
    assert [others[at].result(5) for at in (0, 1, 3, 4)] == [20, 30, 50, 60]
    with pytest.raises(ValueError, match="-4"):
        others[2].result(5)
    assert held.batches == [[1], [2, 3, -4, 5], [6]]
    batcher.close()


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    held = _Held()
    batcher = MicroBatcher(held, batch_size=1, queue_size=2, threads=1)
    running = batcher.submit(1)
    assert held.began.acquire(timeout=5)
    waiting = [batcher.submit(2), batcher.submit(3)]
    with pytest.raises(Problem) as caught:
        batcher.submit(4)
    assert caught.value.kind is Kind.BUSY
    assert caught.value.retry_after == 1
    for _ in range(3):
        held.go.release()
    assert [future.result(5) for future in (running, *waiting)] == [10, 20, 30]
    batcher.close()


def test_closing_answers_who_waits_and_takes_nobody_new() -> None:
    held = _Held()
    batcher = MicroBatcher(held, batch_size=2, queue_size=9, threads=2)
    futures = [batcher.submit(item) for item in range(5)]
    for _ in range(5):
        held.go.release()
    batcher.close()
    assert [future.result(0) for future in futures] == [0, 10, 20, 30, 40]
    with pytest.raises(Problem):
        batcher.submit(1)


def test_who_gave_up_waiting_is_left_out() -> None:
    held = _Held()
    batcher = MicroBatcher(held, batch_size=1, queue_size=9, threads=1)
    first = batcher.submit(1)
    assert held.began.acquire(timeout=5)
    gone, last = batcher.submit(2), batcher.submit(3)
    assert gone.cancel()
    held.go.release()
    held.go.release()
    assert [first.result(5), last.result(5)] == [10, 30]
    assert held.batches == [[1], [3]]
    batcher.close()


def test_a_bug_in_a_batch_reaches_all_of_it_and_the_next_goes_on() -> None:
    def run(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise RuntimeError("broken")
        return list(items)

    batcher = MicroBatcher(run, batch_size=1, queue_size=9, threads=1)
    broken, good = batcher.submit(1), batcher.submit(2)
    with pytest.raises(RuntimeError, match="broken"):
        broken.result(5)
    assert good.result(5) == 2
    batcher.close()


def test_threads_that_compute_side_by_side_share_what_waits() -> None:
    held = _Held()
    batcher = MicroBatcher(held, batch_size=4, queue_size=99, threads=2, side_by_side=True)
    busy = [batcher.submit(1)]
    assert held.began.acquire(timeout=5)
    busy.append(batcher.submit(2))
    assert held.began.acquire(timeout=5)
    futures = [batcher.submit(item) for item in range(10, 16)]
    for _ in range(20):
        held.go.release()
    assert [future.result(5) for future in (*busy, *futures)] == [
        10, 20, 100, 110, 120, 130, 140, 150
    ]  # fmt: skip
    # Of six that wait for two threads the first that is free takes three, the next two.
    assert sorted(len(batch) for batch in held.batches[2:]) == [1, 2, 3]
    batcher.close()
