"""What a frozen backbone gives for pictures, computed once and kept in a file for the next run."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.dataset import ImageDataset, Item
from toolkit.data.record_file import (
    RecordFile,
    content_key,
    make_room,
    open_records,
    record_bytes,
    writing_records,
)
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import StorageError
from toolkit.progress import Progress
from toolkit.training.backbone_reader import Read
from toolkit.training.loader import made_ahead

_LOG = logging.getLogger(__name__)

_MIB = 1 << 20
_BATCH_SIZE = 32
SUFFIX = ".features"


@dataclass(frozen=True)
class BackboneFeatures:
    """What the neck reads of each item of a list.

    Attributes:
        rows: float32 [d] or [c, h, w] by the item's index; None for one that could not be read.
        failures: "path: reason" of those.
    """

    rows: list[NDArray[np.float32] | None]
    failures: dict[int, str]


class FeatureStore:
    """Computes what is not in its file yet.

    Features are found by the bytes of the pictures, so a file serves any list; its name must depend
    on the weights and on the transforms.

    Args:
        file: where they are kept, with the suffix of this module.
        transforms: from pixels to the network's input, without chance.
        open_reader: opens the backbone; called only when there is something to compute.
        workers: threads that decode.
        limit: bytes that the files of the folder may have together before older ones are deleted;
            what this run needs is kept whatever its size.
    """

    def __init__(
        self,
        file: Path,
        transforms: Pipeline,
        open_reader: Callable[[], AbstractContextManager[Read]],
        *,
        workers: int,
        limit: int,
    ) -> None:
        self._file, self._transforms, self._open_reader = file, transforms, open_reader
        self._workers, self._limit = workers, limit

    def features(self, paths: Sequence[Path], *, turned: bool = False) -> BackboneFeatures:
        """Returns the features of pictures.

        Args:
            paths: the files.
            turned: of each by 0, 90, 180 and 270 degrees: item 4 i + k is file i turned k times.

        Raises:
            StorageError: they cannot be kept: the folder cannot be written to, or the disk is full.
        """
        data = ImageDataset(
            paths, [0] * len(paths), self._transforms, seed=0, rotate_classes=turned
        )
        keys = self._keys(paths, len(data) // max(1, len(paths)))
        records = open_records(self._file, np.float32)
        missing = dict[bytes, int]()
        for index, key in enumerate(keys):
            if key is not None and (records is None or key not in records):
                missing.setdefault(key, index)
        if any(data[0, index].failure is None for index in missing.values()):
            try:
                self._compute(data, missing, records)
            except OSError as error:
                raise StorageError(
                    f"The features of the frozen backbone cannot be kept in {self._file}: {error}. "
                    "Free room there, or name another folder with Global.cache_dir."
                ) from error
            records = open_records(self._file, np.float32)
        else:
            _LOG.info("Features of the frozen backbone are read from %s.", self._file)
        return _looked_up(data, keys, records)

    def _keys(self, paths: Sequence[Path], turns: int) -> list[bytes | None]:
        """Returns the key of each item; None for a file that cannot be read."""

        def keys_of(path: Path) -> list[bytes | None]:
            try:
                content = path.read_bytes()
            except (OSError, ValueError):
                return [None] * turns
            return [content_key(content, turn) for turn in range(turns)]

        return [key for keys in made_ahead(keys_of, paths, self._workers) for key in keys]

    def _compute(
        self, data: ImageDataset, missing: dict[bytes, int], old: RecordFile | None
    ) -> None:
        """Writes a new file with what the old one has and what is missing there."""
        with (
            writing_records(self._file, np.float32) as writer,
            self._open_reader() as read,
            Progress("backbone features", len(missing)) as progress,
        ):
            for key, array in () if old is None else old.items():
                writer.add(key, array)
            checked = False
            for keys, items in self._prepared(data, missing):
                images = [item.image for item in items if item.image is not None]
                good = [key for key, item in zip(keys, items, strict=True) if item.failure is None]
                features = read(np.stack(images)) if images else np.empty((0, 1), np.float32)
                if len(features) and not checked:
                    self._require_room(record_bytes(features[0]) * len(missing))
                    checked = True
                for key, feature in zip(good, features, strict=True):
                    writer.add(key, feature)
                progress.advance(len(items))
        size = self._file.stat().st_size
        _LOG.info("The features are kept in %s (%.0f MiB).", self._file, size / _MIB)
        make_room(self._file, max(0, self._limit - size))

    def _prepared(
        self, data: ImageDataset, missing: dict[bytes, int]
    ) -> Iterator[tuple[list[bytes], list[Item]]]:
        pairs = list(missing.items())
        chunks = [pairs[i : i + _BATCH_SIZE] for i in range(0, len(pairs), _BATCH_SIZE)]

        def prepare(chunk: list[tuple[bytes, int]]) -> tuple[list[bytes], list[Item]]:
            return [key for key, _ in chunk], [data[0, index] for _, index in chunk]

        return made_ahead(prepare, chunks, self._workers)

    def _require_room(self, size: int) -> None:
        free = shutil.disk_usage(self._file.parent).free
        if size > free:
            raise StorageError(
                f"The features of the frozen backbone need {size / _MIB:.0f} MiB and "
                f"{self._file.parent} has {free / _MIB:.0f} MiB free. Name another folder with "
                "Global.cache_dir, or choose a neck that reads the feature (FC, BNNeck) and not "
                "the last map (GeM)."
            )


def _looked_up(
    data: ImageDataset, keys: Sequence[bytes | None], records: RecordFile | None
) -> BackboneFeatures:
    rows: list[NDArray[np.float32] | None] = [
        None if key is None or records is None else records.get(key) for key in keys
    ]
    # What failed is tried again in every run, for its reason and because it may have been mended.
    failures = {
        index: data[0, index].failure or f"item {index} was changed while features were computed"
        for index, row in enumerate(rows)
        if row is None
    }
    return BackboneFeatures(rows, failures)
