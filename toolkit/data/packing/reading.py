"""Packed pictures for whoever trains on them: in order and shared out, or at any place.

The files may be ours, or others' with a picture in `image/encoded` or under `<key>.jpg`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from toolkit.data.packing.picture import SUFFIXES, PackedPicture
from toolkit.data.packing.picture_example import picture_of_example
from toolkit.data.packing.plan import Split
from toolkit.data.packing.publish import FORMAT_VERSION, manifest_path
from toolkit.data.packing.tfrecord import TFRecordFile, read_records
from toolkit.data.packing.webdataset import ShardFile, read_shard
from toolkit.errors import RecordError
from toolkit.storage import read_json


def packed_files(output: Path, split: Split) -> list[Path]:
    """Returns the files of a packing, in order.

    Args:
        output: folder and prefix, as in `Pack.output_tfrecord`.
        split: "train" or "test".

    Raises:
        RecordError: there is no manifest (the run was interrupted, or the prefix is another), it is
            of a later version, or a file is missing or of another size.
    """
    file = manifest_path(output.parent, output.name)
    try:
        manifest: dict[str, Any] = read_json(file)
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{file} cannot be read ({error}). It is written when a packing is complete; run mode "
            "pack again, or give another folder and prefix."
        ) from error
    if manifest.get("format_version") != FORMAT_VERSION:
        raise RecordError(
            f"{file} has the format version {manifest.get('format_version')!r}, this toolkit reads "
            f"{FORMAT_VERSION}. Pack again, or use a newer toolkit."
        )
    sizes = {file.with_name(e["name"]): e["bytes"] for e in manifest["splits"][split]["files"]}
    for path, size in sizes.items():
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            state = "is missing" if found is None else f"has {found:,} bytes"
            raise RecordError(
                f"{path} {state}, {file.name} says {size:,} bytes. Copy or pack it again."
            )
    return list(sizes)


def read_pictures(
    files: Iterable[Path], *, verify: bool = True, rank: int = 0, count: int = 1
) -> Iterator[PackedPicture]:
    """Yields the pictures of TFRecord files and tar shards, one in memory at a time.

    Args:
        files: in the order in which they are read; the suffix .tar tells a shard.
        verify: compare the checksums.
        rank: which of `count` readers this is. The readers together get every picture once; in each
            file the shares differ by one at most, and which readers have one more changes from file
            to file.
        count: how many readers there are.

    Raises:
        RecordError: a file is missing, cut off or damaged, or a record has no picture.
        ValueError: `rank` is not below `count`.
    """
    for number, file in enumerate(files):
        turn = rank if not 0 <= rank < count else (rank + number) % count
        if file.suffix == SUFFIXES["webdataset"]:
            yield from read_shard(file, verify=verify, rank=turn, count=count)
            continue
        for place, data in enumerate(read_records(file, verify=verify, rank=turn, count=count)):
            yield _picture(file, data, turn + place * count)


class PackedPictures(Sequence[PackedPicture]):
    """The pictures of TFRecord files and tar shards at any place.

    Args:
        files: TFRecord files, with the index beside each, or tar shards, which are looked through.
        verify: compare the checksums.

    Raises:
        RecordError: a file or its index is missing, or they do not fit.
    """

    def __init__(self, files: Iterable[Path], *, verify: bool = True) -> None:
        self._files: list[TFRecordFile | ShardFile] = [
            (ShardFile if file.suffix == SUFFIXES["webdataset"] else TFRecordFile)(
                file, verify=verify
            )
            for file in files
        ]
        self._ends = list(accumulate(len(file) for file in self._files))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: Any) -> Any:
        """Returns a picture; a slice gives a list of pictures.

        Raises:
            IndexError: there is no such picture.
            RecordError: it is damaged.
        """
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(f"there are {len(self)} pictures, asked for {place}.")
        place %= len(self)
        which = bisect_right(self._ends, place)
        number = place - (self._ends[which - 1] if which else 0)
        file = self._files[which]
        if isinstance(file, ShardFile):
            return file[number]
        return _picture(file.path, file[number], number)


def packed_in(path: Path) -> list[Path]:
    """Returns the files of packed pictures that a path means; none if it is something else.

    Args:
        path: a TFRecord file, a tar shard, or a folder of them (of one kind, sorted by name).

    Raises:
        RecordError: a folder holds both kinds.
    """
    suffixes = set(SUFFIXES.values())
    if not path.is_dir():
        return [path] if path.suffix in suffixes else []
    files = sorted(file for file in path.iterdir() if file.suffix in suffixes)
    if len({file.suffix for file in files}) > 1:
        raise RecordError(
            f"{path} holds TFRecord files and tar shards. Put the two kinds into two folders."
        )
    return files


def _picture(file: Path, data: bytes, number: int) -> PackedPicture:
    try:
        return picture_of_example(data, key=f"{file.stem}_{number:08d}")
    except RecordError as error:
        raise RecordError(f"{file}: record {number}: {error}") from error
