"""What some training pictures cost: whether keeping all of them decoded is worth a file."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.record_file import RecordFile, content_key, record_bytes
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError

_LOG = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
_SAMPLE = 32
# Below these a file is not worth its place on the disk.
_FEWEST_EPOCHS = 3
_SMALLEST_GAIN = 2.0
_LEAST_SECONDS_SAVED = 2.0


@dataclass(frozen=True)
class Pictures:
    """What may be kept.

    Attributes:
        paths: the files, each once.
        turns: how many quarter turns of each are read: 1 or 4.
        leading: the steps without chance.
        first_pixels: path and quarter turns to pixels, decoding; raises ImageError.
        max_pixels: larger pictures are failures.
    """

    paths: Sequence[Path]
    turns: int
    leading: Pipeline
    first_pixels: Callable[[Path, int], Pixels]
    max_pixels: int

    def __len__(self) -> int:
        return len(self.paths) * self.turns


@dataclass(frozen=True)
class Sample:
    """What some pictures cost.

    Attributes:
        keys: of their files.
        bytes_each: mean size of a record.
        decoding: seconds of one core for a picture that is not kept.
        reading: the same for one that is.
    """

    keys: list[bytes]
    bytes_each: float
    decoding: float
    reading: float

    def share_in(self, records: RecordFile) -> float:
        """Returns how many of the pictures a file has, from 0 to 1."""
        return float(np.mean([key in records for key in self.keys]))

    def pays(self, count: float, epochs: int) -> bool:
        """Says, and logs, whether a new file is worth writing.

        It is not for few epochs, for pictures that are decoded nearly as fast as they are read, and
        where only seconds are saved in all.

        Args:
            count: pictures that would be kept.
            epochs: how often each will be read.
        """
        saved = (epochs - 1) * count * (self.decoding - self.reading)
        pays = (
            epochs >= _FEWEST_EPOCHS
            and self.decoding >= _SMALLEST_GAIN * self.reading
            and saved >= _LEAST_SECONDS_SAVED
        )
        _LOG.info(
            "Decoding a training picture takes %.2f ms and reading a decoded one %.2f ms; over %d "
            "epochs that is %.0f s of one core, so decoded pictures are %s.",
            *(1000 * self.decoding, 1000 * self.reading, epochs, max(saved, 0.0)),
            "kept" if pays else "not kept",
        )
        return pays


def measure(pictures: Pictures) -> Sample | None:
    """Decodes a few pictures, spread over the list; returns None when none can be decoded."""
    count = len(pictures.paths)
    chosen = np.linspace(0, count - 1, min(_SAMPLE, count)).round().astype(int)
    keys, sizes, decoding, reading = list[bytes](), list[int](), list[float](), list[float]()
    for path in (pictures.paths[place] for place in chosen):
        if read_or_none(path) is None:  # and from now on the system has the file in memory
            continue
        try:
            started = time.perf_counter()
            pixels = pictures.first_pixels(path, 0)
            decoded = time.perf_counter()
        except ImageError:
            continue
        keys.append(content_key(read_or_none(path) or b""))
        pixels.copy()
        reading.append(time.perf_counter() - decoded)
        decoding.append(decoded - started)
        sizes.append(record_bytes(pixels))
    if not keys:
        return None
    # Medians: the first picture may pay for what is loaded only once.
    times = float(np.median(decoding)), float(np.median(reading))
    return Sample(keys, float(np.mean(sizes)), *times)


def read_or_none(path: Path) -> bytes | None:
    """Returns a file's bytes; None where there are none: whoever decodes it says why."""
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        return None
