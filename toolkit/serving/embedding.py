"""Pictures to vectors for many clients at once: one model, whose batches they share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.data.header import DecodeError, Header, read_header
from toolkit.inference.pipeline import PICTURES_A_PASS
from toolkit.inference.predictor import Predictor
from toolkit.inference.result import FeatureResult
from toolkit.serving.batching import MicroBatcher
from toolkit.serving.problems import Kind, Problem

Vector = NDArray[np.float32]
_Answer = TypeVar("_Answer")
_WARM_UP_SIDE = 64
# Of one request, so that a long one leaves room in the queue for others.
_AT_ONCE = 16
# Nothing of a file is quoted: it may be one that its client cannot read.
_FAULTS = {
    "zero_bytes": "The picture is empty (0 bytes).",
    "not_an_image": "The picture is no picture: it does not begin like any format that is known.",
    "truncated": "The picture ends inside its header.",
    "unreadable": "The picture's header is damaged.",
    "bomb": "The picture's header claims more pixels than can be decoded.",
}


class Embedder:
    """A model behind a queue.

    Args:
        predictor: the model.
        fingerprint: of the model.
        batch_size: pictures a forward pass at most.
        wait: seconds that the first of a batch waits for others.
        queue_size: pictures that may wait.
        max_pixels: larger pictures are refused by their header.
        timeout: seconds until a waiting client is told so.
        on_batch: told the size of each batch.
    """

    def __init__(  # noqa: PLR0913 - limits, by keyword
        self,
        predictor: Predictor,
        *,
        fingerprint: str,
        batch_size: int = 16,
        wait: float = 0.0,
        queue_size: int = 256,
        max_pixels: int = 50_000_000,
        timeout: float = 30.0,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self.model_name, self.fingerprint = predictor.model_name, fingerprint
        self._predictor = predictor
        self.max_pixels, self._timeout = max_pixels, timeout
        self.dimension = self._warm_up()
        # Where each core has a stream of its own, each has a thread that takes a picture all the
        # way; where there is one stream (a GPU), a batch is prepared while another is computed.
        streams = predictor.streams()
        self._side_by_side, self._computing = streams > 1, _Inside()
        self._batches: MicroBatcher[_Asked[Any], Any] = MicroBatcher(
            self._run,
            batch_size=min(batch_size, PICTURES_A_PASS) if self._side_by_side else batch_size,
            wait=wait,
            queue_size=queue_size,
            threads=max(streams, 2),
            side_by_side=self._side_by_side,
            on_batch=on_batch,
        )

    @property
    def waiting(self) -> int:
        """Pictures that wait for the network."""
        return self._batches.depth

    def embed(self, *pictures: bytes) -> list[Vector]:
        """Returns a vector of length 1 for each picture.

        Args:
            pictures: bytes of image files.

        Raises:
            Problem: one cannot be decoded or is too large, too many wait, or it takes too long.
        """
        for picture in pictures:
            self.check(picture)
        vectors = list[Vector]()
        for start in range(0, len(pictures), _AT_ONCE):
            vectors += self._embedded(pictures[start : start + _AT_ONCE])
        return vectors

    def embed_then(self, picture: bytes, go_on: Callable[[Vector], _Answer]) -> Future[_Answer]:
        """Returns what `go_on` makes of a picture's vector, in the thread that computes it.

        Handing the vector to another thread takes as long as a search among a few thousand.

        Args:
            picture: bytes of an image file.
            go_on: takes the vector of length 1; brief, as others wait for its thread.

        Raises:
            Problem: too many wait. What else goes wrong is raised by the future: a header can be
                made to take seconds to read, and whoever calls may have others to answer.
        """
        return self._batches.submit(_Asked(picture, go_on, is_checked=False))

    def _embedded(self, pictures: Sequence[bytes]) -> list[Vector]:
        futures = list[Future[Vector]]()
        try:
            futures += [self._batches.submit(_Asked(picture, _as_it_is)) for picture in pictures]
            return [future.result(self._timeout) for future in futures]
        except FutureTimeoutError:
            raise Problem(
                Kind.TIMED_OUT,
                f"The network did not come to this picture within {self._timeout:g} s; try again.",
                retry_after=5,
            ) from None
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Answers who waits, and ends."""
        self._batches.close()

    def check(self, picture: bytes) -> Header:
        """Returns the header, so that what cannot be used takes nobody's place in the queue.

        Raises:
            Problem: it is no picture, or too large.
        """
        try:
            header = read_header(picture)
        except DecodeError as error:
            raise Problem(Kind.BAD_PICTURE, _FAULTS[error.kind]) from error
        if (count := header.width * header.height) > self.max_pixels:
            raise Problem(
                Kind.BAD_PICTURE,
                f"The picture has {header.width} x {header.height} = {count:,} pixels; at most "
                f"{self.max_pixels:,} (Serve.max_pixels) are decoded. Scale it down.",
            )
        return header

    def _run(self, batch: "Sequence[_Asked[Any]]") -> list[Any]:
        refused = [None if asked.is_checked else self._refusal(asked.picture) for asked in batch]
        pictures = [asked.picture for asked, why in zip(batch, refused, strict=True) if why is None]
        results = iter(self._computed(pictures) if pictures else ())
        return [
            asked.answer(next(results)) if why is None else why
            for asked, why in zip(batch, refused, strict=True)
        ]

    def _refusal(self, picture: bytes) -> Problem | None:
        try:
            self.check(picture)
        except Problem as problem:
            return problem
        return None

    def _computed(self, pictures: Sequence[bytes]) -> Iterable[FeatureResult]:
        if self._side_by_side:
            with self._computing.one_more() as others:
                alone = len(pictures) == 1 and not others and not self._batches.depth
                return self._predictor.predict_here(pictures, alone=alone)
        return self._predictor.predict(list(pictures), batch_size=len(pictures))

    def _warm_up(self) -> int:
        """Runs the network once, which says how long vectors are; no client is the first one."""
        side = _WARM_UP_SIDE
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        (result,) = self._predictor.predict(noise)
        if result.feature is None:
            raise ValueError(f"{self.model_name} gives no feature for noise: {result.error}")
        return len(result.feature)


@dataclass(frozen=True)
class _Asked(Generic[_Answer]):
    """A picture, and what is made of its vector."""

    picture: bytes
    go_on: Callable[[Vector], _Answer]
    is_checked: bool = True

    def answer(self, result: FeatureResult) -> _Answer | Exception:
        if result.feature is None:
            return Problem(Kind.BAD_PICTURE, f"The picture cannot be used: {result.error}")
        try:
            return self.go_on(result.feature)
        except Exception as error:
            return error


def _as_it_is(vector: Vector) -> Vector:
    return vector


class _Inside:
    """Counts threads that do something."""

    def __init__(self) -> None:
        self._count, self._changing = 0, Lock()

    @contextmanager
    def one_more(self) -> Iterator[int]:
        """Counts this thread while the block runs, and yields how many others were in theirs."""
        with self._changing:
            others, self._count = self._count, self._count + 1
        try:
            yield others
        finally:
            with self._changing:
                self._count -= 1


@dataclass(frozen=True)
class Likeness:
    """How alike two pictures are.

    Attributes:
        cosine: of their vectors, -1 to 1.
        l2_distance: of their vectors at length 1, 0 to 2.
    """

    cosine: float
    l2_distance: float

    @property
    def similarity(self) -> float:
        """0 to 1; vectors that point away from each other are not more unlike than unlike."""
        return max(self.cosine, 0.0)


def compared(first: Vector, second: Vector) -> Likeness:
    """Compares two vectors, in double precision; one without a length is unlike everything."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    lengths = float(np.sqrt((one @ one) * (other @ other)))
    cosine = float(np.clip(one @ other / lengths, -1, 1)) if lengths else 0.0
    return Likeness(cosine, float(np.linalg.norm(one - other)))
