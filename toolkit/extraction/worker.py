"""One worker: opens the model once, and turns shard after shard of rows into a file each."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import DecodeError, decode
from toolkit.data.sources import Source
from toolkit.errors import DatasetError, ImageError
from toolkit.extraction.addresses import Addresses, ReadError
from toolkit.extraction.earlier import Earlier
from toolkit.extraction.extractor import Extractor
from toolkit.extraction.job import WorkFolder
from toolkit.extraction.records import INPUT_CHANGED, Piece, Reader, Record
from toolkit.extraction.shard_file import Failed, writing_shard
from toolkit.extraction.timing import StageTimes

Opener = Callable[[StageTimes], Extractor]
"""Opens the model in a worker; the network's time goes into the stage ``network``."""


@dataclass(frozen=True)
class WorkOrder:
    """All that a worker must know; it is sent to other processes and machines.

    Attributes:
        reader: the input.
        addresses: what may be read, and how.
        open_model: opens the model.
        folder: where the shard files go.
        precision: ``float32`` or ``float16``.
        earlier: features of an earlier run that need not be computed again.
    """

    reader: Reader
    addresses: Addresses
    open_model: Opener
    folder: WorkFolder
    precision: str
    earlier: Earlier | None = None


@dataclass(frozen=True)
class ShardReport:
    """What came of a shard.

    Attributes:
        piece: which one.
        causes: failed rows by cause.
        reused: rows that were taken from an earlier run.
        seconds: by stage, summed over threads.
    """

    piece: Piece
    causes: dict[str, int] = field(default_factory=dict)
    reused: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Worker:
    """A model, opened; used from one thread."""

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._times = StageTimes()
        self._extractor: Extractor = order.open_model(self._times)

    def run(self, piece: Piece) -> ShardReport:
        """Computes the rows of a shard and writes its file.

        Raises:
            DatasetError: the input is not the one that was scanned.
        """
        pictures: SimpleQueue[_Picture] = SimpleQueue()
        order, done, reused = self._order, 0, 0
        with writing_shard(
            order.folder.shard(piece),
            order.precision,
            order.folder.job,
            varying=self._extractor.varying,
        ) as writer:
            for outcome in self._extractor.features(self._sources(piece, pictures)):
                picture = pictures.get()
                row = picture.result(outcome.feature, outcome.error)
                with self._times.of("write"):
                    writer.add(row, picture.digest)
                reused += picture.reused is not None
                done += 1
            if done != piece.count:
                raise DatasetError(INPUT_CHANGED)
            with self._times.of("write"):
                failed = writer.finish()
        causes = Counter(cause for _, cause, _ in failed)
        return ShardReport(piece, dict(causes), reused, self._times.take())

    def _sources(self, piece: Piece, pictures: "SimpleQueue[_Picture]") -> Iterator[Source]:
        for row, record in enumerate(self._order.reader.read(piece), piece.start):
            picture = _Picture(record, row, self._order, self._extractor, self._times)
            pictures.put(picture)
            yield Source(record.name, picture.load)


class _Picture:
    """One row on its way; it keeps what became of it, and no bytes and no pixels."""

    def __init__(
        self, record: Record, row: int, order: WorkOrder, extractor: Extractor, times: StageTimes
    ) -> None:
        self._record: Record | None = record
        self._row, self._order = row, order
        self._extractor, self._times = extractor, times
        self.cause = "prediction"
        self.digest = b""
        self.reused: NDArray[Any] | None = None

    def load(self) -> NDArray[np.uint8]:
        """Reads and decodes it; called once.

        Raises:
            ImageError: it cannot be had, or its feature is known: it needs no pass of the network.
        """
        record, self._record = self._record, None
        if record is None:
            raise ImageError("the picture was asked for twice.")
        try:
            return self._load(record)
        except ReadError as error:
            self.cause = error.cause
            raise
        except DecodeError as error:
            self.cause = error.kind.replace("_", " ")
            raise DecodeError(f"{record.name}: {error}", error.kind) from error

    def _load(self, record: Record) -> NDArray[np.uint8]:
        earlier = self._order.earlier
        if earlier is not None and (found := earlier.of_row(self._row)) is not None:
            self.reused, self.digest = found
            raise ImageError("known")
        with self._times.of("read"):
            data = self._order.addresses.read(record)
        self.digest = hashlib.sha256(data).digest()
        if earlier is not None:
            self.reused = earlier.of_content(self.digest)
            if self.reused is not None:
                raise ImageError("known")
        with self._times.of("decode"):
            return decode(data, target=self._extractor.target).pixels

    def result(self, feature: NDArray[Any] | None, error: str | None) -> NDArray[Any] | Failed:
        """Returns what goes into the shard."""
        if self.reused is not None:
            return self.reused
        return Failed(self.cause, str(error)) if feature is None else feature
