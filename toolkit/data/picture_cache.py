"""Training pictures kept as they are before chance comes in: decoded, turned, resized.

A picture is found by the bytes of its file, so what is kept is never another picture than the one
that is there now, and a renamed file is not decoded again. What cannot be decoded is not kept, and
fails every time as it would without.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import PIL

from toolkit.data.picture_sample import Pictures, Pixels, measure, read_or_none
from toolkit.data.record_file import (
    RecordFile,
    RecordWriter,
    content_key,
    make_room,
    open_records,
    record_bytes,
    writing_records,
)
from toolkit.errors import ImageError
from toolkit.progress import Progress

_LOG = logging.getLogger(__name__)

_SUFFIX = ".pictures"
_MIB = 1 << 20
# Of a sample: a list that has grown by less than the rest is not written anew. Where not everything
# fits the share is small, and a sample tells it less exactly.
_KNOWN_ENOUGH = 0.9
_KNOWN_ENOUGH_IF_FULL = 0.5
_PICTURES_AHEAD = 4


class PictureCache:
    """Finds kept pictures; may be asked from several threads at once.

    Args:
        records: uint8 [h, w, 3] each.
    """

    def __init__(self, records: RecordFile) -> None:
        self._records = records

    def find(self, path: Path, quarter_turns: int) -> Pixels | None:
        """Returns the pixels of a file as it is now, read-only; None when they are not kept."""
        data = read_or_none(path)
        return None if data is None else self._records.get(content_key(data, quarter_turns))


@dataclass(frozen=True)
class CachePlan:
    """What a cache may cost, and how often it will be used.

    Attributes:
        folder: where its file is; shared by runs.
        limit: bytes that all files of the folder may have together; 0 keeps nothing.
        epochs: how often each picture will be read.
        workers: threads that decode, 1 or more.
    """

    folder: Path
    limit: int
    epochs: int
    workers: int = 1


def open_picture_cache(pictures: Pictures, plan: CachePlan) -> PictureCache | None:
    """Opens the cache of an earlier run, or makes one when that pays; the log says which and why.

    Returns:
        The cache; None when there is none and making one does not pay, or cannot be written.
    """
    if not plan.limit or not pictures:
        return None
    try:
        return _open(pictures, plan)
    except OSError as error:
        _LOG.warning("Decoded pictures are not kept: %s.", error)
        return None


def _open(pictures: Pictures, plan: CachePlan) -> PictureCache | None:
    file = plan.folder / _file_name(pictures)
    sample = measure(pictures)
    if sample is None:
        return None
    size = sample.bytes_each * len(pictures)
    limit = min(plan.limit, _room(plan.folder, file))
    fitting = min(1.0, limit / size)
    old = open_records(file, np.uint8)
    # A sample tells: reading every file of a large list would take as long as decoding some.
    enough = _KNOWN_ENOUGH if fitting == 1.0 else _KNOWN_ENOUGH_IF_FULL * fitting
    if old is not None and sample.share_in(old) >= enough:
        os.utime(file)  # the next run to need room deletes what was not used for longest
        _LOG.info("Decoded pictures are read from %s.", file)
        return PictureCache(old)
    if not sample.pays(len(pictures) * fitting, plan.epochs):
        return None
    make_room(file, limit - min(round(size), limit))
    with writing_records(file, np.uint8) as writer:
        kept = _write(writer, pictures, old, limit=limit, workers=plan.workers)
    _LOG.info(
        "%d of %d training pictures are kept decoded in %s (%.0f MiB)%s.",
        *(kept, len(pictures.paths), file, file.stat().st_size / _MIB),
        "" if kept == len(pictures.paths) else "; the others are decoded in every epoch",
    )
    records = open_records(file, np.uint8)
    return None if records is None else PictureCache(records)


def _file_name(pictures: Pictures) -> str:
    """Returns a name that depends on all that decides what comes of the bytes of a file."""
    made_by = {
        "steps": pictures.leading.describe(),
        "max_pixels": pictures.max_pixels,
        "decoders": decoder_versions(),
    }
    text = json.dumps(made_by, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16] + _SUFFIX


def decoder_versions() -> list[str]:
    """Returns the versions of what decodes and resizes; another one may give other pixels."""
    return [PIL.__version__, cv2.__version__, metadata.version("simplejpeg")]


def _write(
    writer: RecordWriter, pictures: Pictures, old: RecordFile | None, *, limit: int, workers: int
) -> int:
    """Writes the pictures in their order up to the limit, then what an older file had besides.

    Returns:
        How many files of the list are kept, with all their turns.
    """
    kept, full = 0, False
    remaining = iter(pictures.paths)

    def records_of(path: Path) -> list[tuple[bytes, Pixels]]:
        return _records_of(path, pictures, old)

    with (
        ThreadPoolExecutor(workers, thread_name_prefix="pictures") as pool,
        Progress("decode once", len(pictures.paths)) as progress,
    ):
        while not full and (chunk := list(islice(remaining, _PICTURES_AHEAD * workers))):
            for records in pool.map(records_of, chunk):
                full = full or writer.size + _growth(writer, records) > limit
                if not full:
                    kept += bool(records)
                    for key, pixels in records:
                        writer.add(key, pixels)
            progress.advance(len(chunk))
    if old is not None:
        _write_others(writer, old, limit)
    return kept


def _records_of(
    path: Path, pictures: Pictures, old: RecordFile | None
) -> list[tuple[bytes, Pixels]]:
    """Returns key and pixels of every turn of a file; nothing for one that cannot be decoded."""
    data = read_or_none(path)
    if data is None:
        return []
    records = []
    for quarter_turns in range(pictures.turns):
        key = content_key(data, quarter_turns)
        pixels = None if old is None else old.get(key)
        try:
            made = pictures.first_pixels(path, quarter_turns) if pixels is None else pixels
        except ImageError:
            return []
        records.append((key, made))
    # Of a file that was written meanwhile the pixels may not be those of the key.
    return records if read_or_none(path) == data else []


def _growth(writer: RecordWriter, records: Sequence[tuple[bytes, Pixels]]) -> int:
    return sum(record_bytes(pixels) for key, pixels in records if key not in writer)


def _write_others(writer: RecordWriter, old: RecordFile, limit: int) -> None:
    """Keeps what other lists use of an older file, as far as there is room."""
    for key, pixels in old.items():
        if writer.size + record_bytes(pixels) <= limit:
            writer.add(key, pixels)


def _room(folder: Path, file: Path) -> int:
    """Returns the bytes that a file may have: half of what is free, and what it has already."""
    folder.mkdir(parents=True, exist_ok=True)
    own = file.stat().st_size if file.is_file() else 0
    return shutil.disk_usage(folder).free // 2 + own
