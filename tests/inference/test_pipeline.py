"""The way from pictures to features, with engines and decoders that count."""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np
import pytest

from toolkit.data.sources import Source
from toolkit.data.transforms.geometry import ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage
from toolkit.errors import ImageError
from toolkit.inference import pipeline as module
from toolkit.inference.pipeline import FeaturePipeline, Outcome

SIDE = 8
STEPS = Pipeline([ResizeImage(SIDE), NormalizeImage(), ToCHWImage()])
FEW = module._PICTURES_FOR_STREAMS
PASS = module.PICTURES_A_PASS
TASK = module._PICTURES_A_TASK


class CountingEngine:
    """Gives each picture (1, its number): the sources write their number into every pixel."""

    takes = "pixels"

    def __init__(self, streams: int) -> None:
        self.count = streams
        self.opened = 0
        self.by_run: list[int] = []
        self.by_stream: list[list[int]] = [[] for _ in range(streams)]
        self.shapes: set[tuple[int, ...]] = set()
        self.threads: set[int] = set()
        self._busy = [threading.Lock() for _ in range(streams)]

    def run(self, images: np.ndarray) -> np.ndarray:
        self.by_run.append(len(images))
        return self._features(images)

    def streams(self) -> Sequence[Callable[[np.ndarray], np.ndarray]]:
        self.opened += 1
        return [self._stream(number) for number in range(self.count)]

    def _stream(self, number: int) -> Callable[[np.ndarray], np.ndarray]:
        def run(images: np.ndarray) -> np.ndarray:
            if not self._busy[number].acquire(blocking=False):
                raise RuntimeError("two threads in one stream")
            try:
                self.by_stream[number].append(len(images))
                return self._features(images)
            finally:
                self._busy[number].release()

        return run

    def _features(self, images: np.ndarray) -> np.ndarray:
        self.shapes.add(images.shape[1:])
        self.threads.add(threading.get_ident())
        numbers = images.reshape(len(images), -1)[:, 0].astype(np.float32)
        return np.stack([np.ones_like(numbers), numbers], axis=1)


def source(number: int) -> Source:
    if number % 10 == 7:
        return Source(str(number), lambda: _fail(number))
    pixels = np.full((20, 30, 3), number % 256, np.uint8)
    return Source(str(number), lambda: pixels)


def _fail(number: int) -> np.ndarray:
    raise ImageError(f"{number} is broken")


def readable(count: int) -> int:
    return sum(number % 10 != 7 for number in range(count))


def check(outcomes: Sequence[Outcome], count: int) -> None:
    assert [outcome.name for outcome in outcomes] == [str(number) for number in range(count)]
    for number, outcome in enumerate(outcomes):
        if number % 10 == 7:
            assert outcome == Outcome(str(number), None, f"{number} is broken")
            continue
        expected = np.array([1, number % 256]) / np.hypot(1, number % 256)
        assert outcome.error is None
        np.testing.assert_allclose(outcome.feature, expected, atol=1e-6)
        assert outcome.feature.base is None, "a kept feature would keep its batch"


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 3, 16, 50])
@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 150])
def test_every_picture_once_and_in_order(streams: int, batch_size: int, count: int) -> None:
    engine = CountingEngine(streams)
    pictures = map(source, range(count))
    check(list(FeaturePipeline(engine, STEPS, workers=2).features(pictures, batch_size)), count)
    assert max([0, *engine.by_run]) <= batch_size
    if streams > 1:
        assert max([0, *chain(*engine.by_stream)]) <= min(batch_size, PASS)
    assert sum(engine.by_run) + sum(map(sum, engine.by_stream)) == readable(count)
    # With or without the steps that the engine does itself, as it says.
    assert engine.shapes <= {(SIDE, SIDE, 3)}


def test_an_engine_of_tensors_gets_every_step() -> None:
    engine = CountingEngine(2)
    engine.takes = "tensor"
    list(FeaturePipeline(engine, STEPS, workers=1).features(map(source, range(60)), 4))
    assert engine.shapes == {(3, SIDE, SIDE)}


def test_a_short_list_opens_no_stream_and_a_long_one_opens_them_once() -> None:
    engine = CountingEngine(2)
    pipeline = FeaturePipeline(engine, STEPS, workers=2)
    list(pipeline.features(map(source, range(FEW)), 1))
    list(FeaturePipeline(engine, STEPS, workers=2).features(map(source, range(3 * FEW)), 3 * FEW))
    assert engine.by_run.pop() == readable(3 * FEW), "one batch, however large"
    assert engine.opened == 0
    for _ in range(2):
        check(list(pipeline.features(map(source, range(100)), 1)), 100)
    assert engine.opened == 1
    assert engine.by_run == [1] * readable(FEW), "a long list is the streams' alone"
    # Once they are open, only what is no more than a batch is left to all cores together.
    for count, size, by_run in ((6, 5, []), (5, 5, [5]), (1, 5, [1]), (1, 1, [1]), (2, 1, [])):
        before = len(engine.by_run)
        check(list(pipeline.features(map(source, range(count)), size)), count)
        assert engine.by_run[before:] == by_run
    assert engine.opened == 1


def test_an_iterator_is_asked_for_a_batch_at_a_time() -> None:
    taken: list[int] = []
    engine = CountingEngine(2)
    pictures = (taken.append(number) or source(number) for number in range(200))
    outcomes = FeaturePipeline(engine, STEPS, workers=2).features(pictures, 3, lazily=True)
    assert taken == []
    for number, _ in zip(range(120), outcomes, strict=False):
        assert len(taken) == 3 * (number // 3 + 1)
    assert engine.opened == 0


@pytest.mark.parametrize("streams", [1, 3])
def test_the_number_of_pictures_under_way_is_bounded(streams: int) -> None:
    """Pictures that have been taken from the list and whose outcome nobody has had yet."""
    taken, most = 0, 0

    def pictures() -> Iterator[Source]:
        nonlocal taken
        for number in range(3000):
            taken += 1
            yield source(number)

    outcomes = FeaturePipeline(CountingEngine(streams), STEPS, workers=2).features(pictures(), 8)
    looked_at = FEW + 1  # whether the list is short
    for had, _ in enumerate(outcomes):
        most = max(most, taken - had)
    assert taken == 3000
    if streams == 1:
        assert most <= 2 * 8 + looked_at
    else:
        assert most <= module._TASKS_A_STREAM * streams * TASK + looked_at


def test_decoded_pixels_are_bounded_by_the_streams() -> None:
    """What is under way beyond a task for each stream are names, not pixels."""
    lock, alive, most = threading.Lock(), 0, 0

    class Pixels(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            if self.base is None:
                with lock:
                    alive -= 1

    def load() -> np.ndarray:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return np.ndarray.__new__(Pixels, (SIDE, SIDE, 3), np.uint8)

    engine = CountingEngine(2)
    # Nothing is resized here, so each picture lives until its batch has been stacked and run.
    pipeline = FeaturePipeline(engine, Pipeline([]), workers=2)
    for _ in pipeline.features((Source("x", load) for _ in range(1000)), 16):
        pass
    assert max(chain(*engine.by_stream)) == PASS
    assert most <= 2 * TASK


@pytest.mark.parametrize("before", [3, FEW - 1, FEW, FEW + 1, FEW + 13])
def test_an_error_of_the_source_comes_in_its_turn(before: int) -> None:
    def pictures() -> Iterator[Source]:
        yield from map(source, range(before))
        raise TypeError("the next is no picture")

    outcomes = FeaturePipeline(CountingEngine(2), STEPS, workers=2).features(pictures(), 4)
    check([next(outcomes) for _ in range(before)], before)
    with pytest.raises(TypeError, match="no picture"):
        next(outcomes)


def test_an_error_of_the_network_is_an_exception() -> None:
    class Broken(CountingEngine):
        def _features(self, _images: np.ndarray) -> np.ndarray:
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(FeaturePipeline(Broken(2), STEPS, workers=2).features(map(source, range(3)), 2))


@pytest.mark.parametrize("streams", [1, 2])
def test_an_abandoned_generator_lets_its_threads_go(streams: int) -> None:
    others = set(threading.enumerate())
    pipeline = FeaturePipeline(CountingEngine(streams), STEPS, workers=2)
    outcomes = pipeline.features(map(source, range(10_000)), 2)
    for _ in range(FEW + 50):
        next(outcomes)
    ours = set(threading.enumerate()) - others
    assert ours
    outcomes.close()
    for thread in ours:
        thread.join(5)
        assert not thread.is_alive()
    # And no stream is lost with them.
    check(list(pipeline.features(map(source, range(200)), 4)), 200)


def test_two_calls_side_by_side_share_the_streams() -> None:
    engine = CountingEngine(2)
    pipeline = FeaturePipeline(engine, STEPS, workers=2)
    first, second = (pipeline.features(map(source, range(300)), 3) for _ in range(2))
    pairs = list(zip(first, second, strict=True))
    check([one for one, _ in pairs], 300)
    check([other for _, other in pairs], 300)
    assert engine.opened == 1


def test_every_stream_works() -> None:
    """Both wait for each other in their first batch: one alone would break the barrier."""
    barrier = threading.Barrier(2)

    class Meeting(CountingEngine):
        def _stream(self, number: int) -> Callable[[np.ndarray], np.ndarray]:
            run = super()._stream(number)

            def meet(images: np.ndarray) -> np.ndarray:
                if not self.by_stream[number]:
                    barrier.wait(5)
                return run(images)

            return meet

    engine = Meeting(2)
    check(list(FeaturePipeline(engine, STEPS, workers=2).features(map(source, range(100)), 4)), 100)
    assert all(engine.by_stream)


def test_one_stream_runs_in_the_callers_thread() -> None:
    engine = CountingEngine(1)
    list(FeaturePipeline(engine, STEPS, workers=3).features(map(source, range(100)), 4))
    assert engine.threads == {threading.get_ident()}


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("count", [1, FEW, 150])
def test_by_position_a_broken_picture_leaves_zeros_in_its_place(streams: int, count: int) -> None:
    """What a batch holds depends on places alone, not on which pictures can be read."""
    seen: list[list[float]] = []

    class Watching(CountingEngine):
        def _features(self, images: np.ndarray) -> np.ndarray:
            seen.append(images.reshape(len(images), -1)[:, 0].tolist())
            return super()._features(images)

    engine = Watching(streams)
    pipeline = FeaturePipeline(engine, STEPS, workers=2, by_position=True, queue_size=20)
    check(list(pipeline.features(map(source, range(count)), 4)), count)
    numbers = [0 if number % 10 == 7 else number % 256 for number in range(count)]
    expected = [numbers[start : start + 4] for start in range(0, count, 4)]
    assert sorted(seen) == sorted(expected)


def test_features_may_be_left_as_they_are() -> None:
    class Integers(CountingEngine):
        def _features(self, images: np.ndarray) -> np.ndarray:
            return super()._features(images).astype(np.int32)

    pipeline = FeaturePipeline(Integers(1), STEPS, workers=1, normalise=False)
    rows = [outcome.feature for outcome in pipeline.features(map(source, range(5)), 2)]
    assert [row.tolist() for row in rows] == [[1, number] for number in range(5)]
    assert {row.dtype for row in rows} == {np.dtype(np.int32)}


def test_an_engine_may_refuse_a_batch() -> None:
    class Refusing(CountingEngine):
        def _features(self, images: np.ndarray) -> np.ndarray:
            if images.max() == 5:
                raise ImageError("not this one")
            return super()._features(images)

    outcomes = FeaturePipeline(Refusing(1), STEPS, workers=1).features(map(source, range(9)), 2)
    errors = [outcome.error for outcome in outcomes]
    assert errors == [None] * 4 + ["not this one"] * 2 + [None, "7 is broken", None]
