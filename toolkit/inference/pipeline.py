"""Pictures to features: reading, decoding, resizing and the network overlap, in bounded memory.

The one way of predict, evaluate and extract. A picture costs a core some milliseconds in every
stage, and all cores together are the limit, so the best that can be done is that none ever waits.
On a CPU each core therefore has a thread and a stream of the network of its own and takes a batch
through all stages; handing pictures from decoding threads to one network of many threads would
leave cores idle at the ends of its layers. Where there is one stream (a GPU, the network that is
being trained), threads prepare pictures for it.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.sources import Source
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError
from toolkit.inference.engines.engine import Engine, Stream
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.inference.work_ahead import batches_of, in_order, worker_threads

PICTURES_A_PASS = 4
"""A core has caches for the maps of a few pictures: passes of 16 are a tenth slower than of 4."""
# Pictures that a thread takes at once. With fewer, changing stages and handing over cost up to a
# tenth; with more, one thread has work at the end of a list and the others have none.
_PICTURES_A_TASK = 8
# Opening the streams takes as long as some dozens of pictures: the network with all threads is done
# with a shorter list before they are open.
_PICTURES_FOR_STREAMS = 32
# Tasks under way for each stream: what the others have finished waits for the slowest.
_TASKS_A_STREAM = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture.

    Attributes:
        name: path or address; None when it came from memory.
        feature: [d]; of length 1 (zeros stay zeros) and float32 unless the pipeline is to leave
            them as they are. None when there is an error.
        error: why there is none.
    """

    name: str | None
    feature: NDArray[Any] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A picture that is ready for the network, or the reason why not."""

    name: str | None
    image: NDArray[Any] | None
    error: str | None


class FeaturePipeline:
    """Takes pictures through all stages; may be used from several threads.

    Args:
        engine: runs the network.
        steps: RGB pixels [h, w, 3] to the tensor [3, h, w] that the network takes; those that the
            engine does itself are left out.
        workers: threads that prepare pictures where the engine has one stream, 1 or more.
        normalise: scale features to length 1; if not, they are what the engine gives, of any type.
        by_position: a picture's place in the stream alone decides on its batch: one that cannot be
            read leaves zeros in its place, and short lists go the way of long ones. Features are
            then the same to the bit wherever a run was interrupted.
    """

    def __init__(
        self,
        engine: Engine,
        steps: Pipeline,
        *,
        workers: int,
        normalise: bool = True,
        by_position: bool = False,
        queue_size: int = 0,
    ) -> None:
        self._engine, self._workers = engine, workers
        self._queue_size = max(queue_size, workers)
        self._finish_row = _unit_row if normalise else _own_row
        self._by_position = by_position
        self._steps = _own_steps(engine, steps)
        self._streams = _Streams(engine)

    def features(
        self, sources: Iterable[Source], batch_size: int, *, lazily: bool = False
    ) -> Iterator[Outcome]:
        """Yields one outcome a picture, in order.

        Args:
            sources: the pictures; of any number of them only some batches are in memory.
            batch_size: pictures a forward pass at most, 1 or more.
            lazily: never ask `sources` for more than the batch whose outcomes are wanted.

        Raises:
            Exception: whatever `sources` raise, behind the outcomes of what came before it.
        """
        if lazily:
            yield from self._fed(sources, batch_size, ahead=0)
            return
        if self._by_position and self._streams.open() > 1:
            yield from self._streamed(sources, batch_size)
            return
        if self._by_position:
            yield from self._fed(sources, batch_size, ahead=-(-self._queue_size // batch_size))
            return
        few = batch_size if self._streams.are_open else max(batch_size, _PICTURES_FOR_STREAMS)
        blocks = batches_of(sources, few + 1)
        first = next(blocks, [])
        pictures = chain(first, chain.from_iterable(blocks))
        if len(first) > few and self._streams.open() > 1:
            yield from self._streamed(pictures, batch_size)
        else:
            yield from self._fed(pictures, batch_size, ahead=-(-self._queue_size // batch_size))

    def streams(self) -> int:
        """Opens the engine's streams, and returns how many there are."""
        return self._streams.open()

    def in_this_thread(self, sources: Iterable[Source], *, alone: bool) -> list[Outcome]:
        """Takes a few pictures through all stages in the thread that calls.

        For a server, whose pictures come to threads of its own: with as many of them as there are
        streams, no core waits.

        Args:
            sources: as many as one forward pass takes.
            alone: nobody else computes, so the network has all cores and not those of one stream.
        """
        prepared = [self._prepare(source) for source in sources]
        if alone:
            return self._outcomes(prepared, self._engine.run)
        with self._streams.lend() as run:
            return self._outcomes(prepared, run)

    def _fed(self, pictures: Iterable[Source], batch_size: int, *, ahead: int) -> Iterator[Outcome]:
        """Prepares pictures in threads; the network runs in the caller's thread."""
        with worker_threads(self._workers) as pool:

            def start(batch: list[Source]) -> Callable[[], list[_Prepared]]:
                futures = [pool.submit(self._prepare, source) for source in batch]
                return lambda: [future.result() for future in futures]

            for prepared in in_order(batches_of(pictures, batch_size), start, ahead=ahead):
                yield from self._outcomes(prepared, self._engine.run)

    def _streamed(self, pictures: Iterable[Source], batch_size: int) -> Iterator[Outcome]:
        """Each thread takes a batch through all stages, with a stream of its own."""
        count = self._streams.open()
        with worker_threads(count) as pool:

            def start(task: list[Source]) -> Callable[[], list[Outcome]]:
                return pool.submit(self._finish, task, batch_size).result

            ahead = _TASKS_A_STREAM * count - 1
            for outcomes in in_order(batches_of(pictures, _PICTURES_A_TASK), start, ahead=ahead):
                yield from outcomes

    def _finish(self, task: list[Source], batch_size: int) -> list[Outcome]:
        prepared = [self._prepare(source) for source in task]
        size = min(batch_size, PICTURES_A_PASS)
        with self._streams.lend() as run:
            return [
                outcome
                for start in range(0, len(prepared), size)
                for outcome in self._outcomes(prepared[start : start + size], run)
            ]

    def _outcomes(self, batch: Sequence[_Prepared], run: Stream) -> list[Outcome]:
        """Runs the network on the images of a batch."""
        images = [picture.image for picture in batch if picture.image is not None]
        if not images:
            return [Outcome(picture.name, None, picture.error) for picture in batch]
        if self._by_position:
            blank = np.zeros_like(images[0])
            images = [blank if picture.image is None else picture.image for picture in batch]
        try:
            rows = iter(run(_batch_of(images, self._engine)))
        except ImageError as refused:
            return [Outcome(picture.name, None, picture.error or str(refused)) for picture in batch]
        done = []
        for picture in batch:
            row = next(rows) if self._by_position or picture.image is not None else None
            if row is None or picture.image is None:
                done.append(Outcome(picture.name, None, picture.error))
                continue
            is_good = bool(np.isfinite(row).all())
            error = None if is_good else "the network gave values that are not finite."
            done.append(Outcome(picture.name, self._finish_row(row) if is_good else None, error))
        return done

    def _prepare(self, source: Source) -> _Prepared:
        try:
            # Nothing in an exported pipeline draws; the generator is what steps are called with.
            image = self._steps(source.load(), np.random.default_rng(0))
        except ImageError as error:
            return _Prepared(source.name, None, str(error))
        return _Prepared(source.name, image, None)


class _Streams:
    """The streams of an engine, opened when they are first wanted, each lent to one at a time.

    Two calls of predict that run side by side share them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._opening = threading.Lock()
        self._count = 0
        self._free: SimpleQueue[Stream] = SimpleQueue()

    @property
    def are_open(self) -> bool:
        return self._count > 0

    def open(self) -> int:
        """Opens them where that has not been done, and returns how many there are."""
        with self._opening:
            if not self._count:
                streams = self._engine.streams()
                for stream in streams:
                    self._free.put(stream)
                self._count = len(streams)
        return self._count

    @contextmanager
    def lend(self) -> Iterator[Stream]:
        stream = self._free.get()
        try:
            yield stream
        finally:
            self._free.put(stream)


def _own_steps(engine: Engine, steps: Pipeline) -> Pipeline:
    """Returns the steps without those that the engine does itself."""
    if engine.takes == "pictures":
        return Pipeline([])
    return steps.geometry() if engine.takes == "pixels" else steps


def _batch_of(images: list[NDArray[Any]], engine: Engine) -> Any:
    return images if engine.takes == "pictures" else np.stack(images)


def _unit_row(row: NDArray[Any]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = unit_vectors(row[np.newaxis])[0].copy()
    return unit


def _own_row(row: NDArray[Any]) -> NDArray[Any]:
    # A copy: a result that is kept must not keep its whole batch.
    return row.copy()
