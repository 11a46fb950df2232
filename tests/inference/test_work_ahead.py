import threading
from collections.abc import Callable, Iterator

import pytest

from toolkit.inference.work_ahead import batches_of, in_order, worker_threads


def _at_once(batch: list[int]) -> Callable[[], list[int]]:
    """Work that is done when it is waited for."""
    return lambda: [number * number for number in batch]


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_order_and_batches(count: int, ahead: int) -> None:
    squares = [number * number for number in range(count)]
    expected = [squares[start : start + 3] for start in range(0, count, 3)]
    assert list(in_order(batches_of(range(count), 3), _at_once, ahead=ahead)) == expected
    with worker_threads(2) as pool:
        found = in_order(
            batches_of(range(count), 3),
            lambda batch: pool.submit(_at_once(batch)).result,
            ahead=ahead,
        )
        assert list(found) == expected


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_no_item_is_taken_before_it_is_needed(ahead: int) -> None:
    taken: list[int] = []
    items = (taken.append(number) or number for number in range(100))
    results = in_order(batches_of(items, 4), _at_once, ahead=ahead)
    assert taken == []
    for number in range(1, 4):
        next(results)
        assert len(taken) == 4 * (number + ahead)


def test_later_batches_are_under_way_while_the_first_is_not_done() -> None:
    """Each of three waits until all three have been started: two at a time would never end."""
    barrier = threading.Barrier(3)
    with worker_threads(3) as pool:
        found = in_order(
            range(3), lambda number: pool.submit(lambda: (barrier.wait(5), number)).result, ahead=2
        )
        assert [number for _, number in found] == [0, 1, 2]


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_what_came_before_an_error_of_the_items_is_yielded_first(ahead: int) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise TypeError("item 5")

    results = in_order(batches_of(items(), 2), _at_once, ahead=ahead)
    assert [next(results) for _ in range(3)] == [[0, 1], [4, 9], [16]]
    with pytest.raises(TypeError, match="item 5"):
        next(results)


def test_an_error_of_the_work_is_raised_in_its_turn() -> None:
    with worker_threads(2) as pool:
        found = in_order([1, 2, 0, 4], lambda n: pool.submit(lambda: 8 // n).result, ahead=3)
        assert [next(found), next(found)] == [8, 4]
        with pytest.raises(ZeroDivisionError):
            next(found)


def test_left_threads_begin_nothing_new() -> None:
    started, go = threading.Event(), threading.Event()
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        started.set()
        go.wait(5)

    with worker_threads(1) as pool:
        for number in range(10):
            pool.submit(work, number)
        started.wait(5)
    threads = list(pool._threads)
    go.set()
    for thread in threads:
        thread.join(5)
    assert begun == [0]
    assert not any(thread.is_alive() for thread in threads)
