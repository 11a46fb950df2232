"""One file of packed pictures: from the pictures of its rows to the file and a note beside it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from toolkit.data.packing.picture import PackedPicture, PackFormat
from toolkit.data.packing.picture_example import example_of_picture
from toolkit.data.packing.plan import Shard
from toolkit.data.packing.rows import SkippedRow
from toolkit.data.packing.tfrecord import index_path, writing_tfrecord
from toolkit.data.packing.webdataset import writing_shard
from toolkit.storage import read_json, write_json

AddPicture = Callable[[PackedPicture], None]


@dataclass(frozen=True)
class ShardNote:
    """What became of the rows of a file.

    Attributes:
        name: of the file.
        split: what it is for.
        records: pictures in it; with 0 there is no file.
        files: name -> bytes, the file and its index; none when there are no records.
        skipped: rows that are not in it.
    """

    name: str
    split: str
    records: int
    files: dict[str, int]
    skipped: list[SkippedRow]


def write_shard(
    folder: Path,
    shard: Shard,
    pictures: Iterable[PackedPicture | SkippedRow],
    kind: PackFormat,
) -> ShardNote:
    """Writes the file of a shard, and then a note of it: with its note, a file is finished.

    Args:
        folder: where.
        shard: its name and split.
        pictures: what became of its rows, in order; taken one by one.
        kind: of the file.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    skipped: list[SkippedRow] = []
    records = 0
    file = folder / shard.name
    with _writing(file, kind) as add:
        for picture in pictures:
            if isinstance(picture, SkippedRow):
                skipped.append(picture)
            else:
                add(picture)
                records += 1
    written = [path for path in (file, index_path(file)) if records and path.is_file()]
    files = {path.name: path.stat().st_size for path in written}
    note = ShardNote(shard.name, shard.split, records, files, skipped)
    write_json(_note_file(folder, shard), asdict(note))
    return note


def finished_shard(folder: Path, shard: Shard) -> ShardNote | None:
    """Returns the note of a shard that an interrupted run has finished; None when it is to be made.

    A shard with skipped rows is made again: somebody may have mended the pictures. So is one whose
    files are not there any more.
    """
    file = _note_file(folder, shard)
    if not file.is_file():
        return None
    note = ShardNote(**read_json(file))
    paths = {folder / name: size for name, size in note.files.items()}
    whole = all(path.is_file() and path.stat().st_size == size for path, size in paths.items())
    return note if whole and not note.skipped else None


def _writing(file: Path, kind: PackFormat) -> AbstractContextManager[AddPicture]:
    return writing_shard(file) if kind == "webdataset" else _writing_examples(file)


@contextmanager
def _writing_examples(file: Path) -> Iterator[AddPicture]:
    with writing_tfrecord(file) as add:
        yield lambda picture: add(example_of_picture(picture))


def _note_file(folder: Path, shard: Shard) -> Path:
    return folder / f"{shard.name}.json"
