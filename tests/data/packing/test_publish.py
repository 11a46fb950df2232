"""Shards and their notes: names when all are there, and nothing made twice after a kill."""

import json
from pathlib import Path

import pytest

from toolkit.data.packing.picture import PackedPicture
from toolkit.data.packing.plan import Shard
from toolkit.data.packing.publish import pack_manifest, publish, staging_folder
from toolkit.data.packing.rows import Row, SkippedRow
from toolkit.data.packing.shard import ShardNote, finished_shard, write_shard
from toolkit.data.packing.tfrecord import read_records

FINGERPRINT = "0123456789abcdef"
ROWS = [Row(number, f"{number}.jpg", None) for number in range(1, 4)]
PICTURES = [PackedPicture(f"{row.line:08d}", b"jpeg", name=row.path) for row in ROWS]
BAD = SkippedRow(2, "2.jpg", "missing", "there is no such file")


def shard(number: int, split: str = "train") -> Shard:
    return Shard(f"p_{split}_{number:05d}.tfrecord", split, ROWS)  # type: ignore[arg-type]


def write(staging: Path, number: int = 0, pictures=PICTURES) -> ShardNote:
    return write_shard(staging, shard(number), pictures, "tfrecord")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    return staging_folder(tmp_path / "out", "p", FINGERPRINT)


def test_a_note_tells_what_became_of_the_rows(staging: Path) -> None:
    note = write(staging, pictures=[PICTURES[0], BAD, PICTURES[2]])
    assert (note.records, note.skipped) == (2, [BAD])
    assert list(note.files) == ["p_train_00000.tfrecord", "p_train_00000.tfrecord.idx"]
    file = staging / "p_train_00000.tfrecord"
    assert note.files[file.name] == file.stat().st_size
    assert len(list(read_records(file))) == 2


def test_a_finished_shard_is_known(staging: Path) -> None:
    assert finished_shard(staging, shard(0)) is None
    note = write(staging)
    assert finished_shard(staging, shard(0)) == note
    assert finished_shard(staging, shard(1)) is None


def test_a_shard_with_skipped_rows_is_made_again(staging: Path) -> None:
    write(staging, pictures=[PICTURES[0], BAD])
    assert finished_shard(staging, shard(0)) is None


@pytest.mark.parametrize("suffix", ["", ".idx"])
def test_a_note_without_its_file_is_not_believed(staging: Path, suffix: str) -> None:
    write(staging)
    file = staging / f"p_train_00000.tfrecord{suffix}"
    file.write_bytes(file.read_bytes()[:-1])
    assert finished_shard(staging, shard(0)) is None
    file.unlink()
    assert finished_shard(staging, shard(0)) is None


def test_a_killed_writer_leaves_no_note(staging: Path) -> None:
    def pictures():
        yield PICTURES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(staging, pictures=pictures())
    assert names(staging) == []


def test_files_get_their_names_and_those_before_them_go(staging: Path) -> None:
    folder = staging.parent
    kept = ["other_train_00000.tfrecord", "p_train_notes.txt"]
    gone = ["p_train_00000.tfrecord", "p_train_00007.tfrecord.idx", "p_test_00000.tar"]
    for name in [*kept, *gone]:
        (folder / name).write_text("before")
    staging_folder(folder, "p", "f" * 16)
    kept.append(staging_folder(folder, "p.q", FINGERPRINT).name)
    notes = [write(staging, 0), write(staging, 1, [BAD])]
    file = publish(staging, "p", notes, pack_manifest(notes, [], {"seed": 5}))
    new = ["p_manifest.json", "p_train_00000.tfrecord", "p_train_00000.tfrecord.idx"]
    assert names(folder) == sorted([*kept, *new])
    assert json.loads(file.read_text(encoding="utf-8"))["seed"] == 5
    assert len(list(read_records(folder / "p_train_00000.tfrecord"))) == 3


def test_the_manifest_adds_up(staging: Path) -> None:
    notes = [write(staging, 0, [PICTURES[0], BAD, PICTURES[2]]), write(staging, 1, [BAD])]
    first = SkippedRow(1, "x", "malformed_row", "1 column")
    manifest = pack_manifest(notes, [first], {"fingerprint": FINGERPRINT})
    assert manifest["format_version"] == 1
    assert manifest["fingerprint"] == FINGERPRINT
    assert manifest["splits"]["train"]["records"] == 2
    assert manifest["splits"]["train"]["files"] == [
        {
            "name": "p_train_00000.tfrecord",
            "records": 2,
            "bytes": (staging / "p_train_00000.tfrecord").stat().st_size,
        }
    ]
    assert manifest["splits"]["test"] == {"records": 0, "files": []}
    assert manifest["skipped"]["rows"] == 3
    assert manifest["skipped"]["reasons"] == {"malformed_row": 1, "missing": 2}
    assert [row["line"] for row in manifest["skipped"]["each"]] == [1, 2, 2]


def test_a_kill_while_names_are_given_leaves_no_manifest(staging: Path) -> None:
    """Half of the files are there: without a manifest nobody takes them for all."""
    notes = [write(staging, 0)]
    publish(staging, "p", notes, pack_manifest(notes, [], {}))
    again = staging_folder(staging.parent, "p", FINGERPRINT)
    notes = [write(again, 0), write(again, 1)]
    (again / "p_train_00001.tfrecord").unlink()
    with pytest.raises(FileNotFoundError):
        publish(again, "p", notes, pack_manifest(notes, [], {}))
    assert "p_manifest.json" not in names(staging.parent)
    assert finished_shard(again, shard(0)) is None
