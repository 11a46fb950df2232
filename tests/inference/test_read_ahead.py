import threading
from collections.abc import Iterator

import pytest

from toolkit.inference.read_ahead import prepared_batches


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("batches_ahead", [0, 1, 3])
def test_order_and_batches(count: int, batches_ahead: int) -> None:
    batches = prepared_batches(
        range(count), lambda n: n * n, batch_size=3, workers=2, batches_ahead=batches_ahead
    )
    squares = [n * n for n in range(count)]
    assert list(batches) == [squares[start : start + 3] for start in range(0, count, 3)]


@pytest.mark.parametrize("batches_ahead", [0, 1, 2])
def test_no_item_is_taken_before_it_is_needed(batches_ahead: int) -> None:
    taken: list[int] = []
    items = (taken.append(number) for number in range(100))
    batches = prepared_batches(items, str, batch_size=4, workers=2, batches_ahead=batches_ahead)
    assert taken == []
    for number in range(1, 4):
        next(batches)
        assert len(taken) == 4 * (number + batches_ahead)
    batches.close()


def test_the_next_batch_is_prepared_while_the_caller_has_the_first() -> None:
    second = threading.Event()

    def prepare(number: int) -> int:
        if number == 1:
            second.set()
        return number

    batches = prepared_batches(range(2), prepare, batch_size=1, workers=1)
    assert next(batches) == [0]
    assert second.wait(5)


def test_what_came_before_an_error_is_yielded_first() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise TypeError("item 5")

    batches = prepared_batches(items(), abs, batch_size=2, workers=2, batches_ahead=3)
    assert [next(batches) for _ in range(3)] == [[0, 1], [2, 3], [4]]
    with pytest.raises(TypeError, match="item 5"):
        next(batches)


def test_an_error_of_prepare_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(prepared_batches([1, 0], lambda n: 1 // n, batch_size=2, workers=2))
