"""Packed pictures for training: every picture once among the readers, or any one at its place."""

import json
from pathlib import Path

import pytest

from toolkit.data.packing.example import encode_example
from toolkit.data.packing.picture import PackedPicture, PackFormat
from toolkit.data.packing.plan import Shard
from toolkit.data.packing.publish import pack_manifest, publish, staging_folder
from toolkit.data.packing.reading import PackedPictures, packed_files, read_pictures
from toolkit.data.packing.shard import write_shard
from toolkit.data.packing.tfrecord import writing_tfrecord
from toolkit.errors import RecordError

GOLDEN = Path(__file__).parent / "golden"
PICTURES = [PackedPicture(f"{n:08d}", b"jpeg %d" % n, name=f"{n}.jpg", label=n) for n in range(10)]


def pack(folder: Path, kind: PackFormat = "tfrecord") -> Path:
    """Files of 4, 4 and 2 pictures."""
    staging = staging_folder(folder, "p", "0" * 16)
    suffix = "tar" if kind == "webdataset" else "tfrecord"
    notes = [
        write_shard(
            staging,
            Shard(f"p_train_{n:05d}.{suffix}", "train", []),
            PICTURES[4 * n : 4 * n + 4],
            kind,
        )
        for n in range(3)
    ]
    publish(staging, "p", notes, pack_manifest(notes, [], {}))
    return folder / "p"


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset"])
@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_the_readers_together_get_every_picture_once(
    tmp_path: Path, kind: PackFormat, count: int
) -> None:
    files = packed_files(pack(tmp_path, kind), "train")
    shares = [list(read_pictures(files, rank=rank, count=count)) for rank in range(count)]
    assert sorted((p for share in shares for p in share), key=lambda p: p.label) == PICTURES
    if count == 1:
        assert shares == [PICTURES]
    elif count == 3:
        # 4 + 4 + 2 pictures: the turn goes round, so nobody is left with the remainders alone.
        assert sorted(len(share) for share in shares) == [3, 3, 4]


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset"])
def test_a_reader_that_is_none_of_them_is_a_mistake(tmp_path: Path, kind: PackFormat) -> None:
    files = packed_files(pack(tmp_path, kind), "train")
    for rank, count in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="rank must be 0 to count - 1"):
            list(read_pictures(files, rank=rank, count=count))


def test_any_picture_at_its_place(tmp_path: Path) -> None:
    pictures = PackedPictures(packed_files(pack(tmp_path), "train"))
    assert len(pictures) == 10
    assert [pictures[place] for place in (9, 0, 4, 3, 8)] == [PICTURES[n] for n in (9, 0, 4, 3, 8)]
    assert pictures[-1] == PICTURES[9]
    assert pictures[2:6] == PICTURES[2:6]
    assert list(pictures) == PICTURES
    for place in (10, -11):
        with pytest.raises(IndexError, match="there are 10 pictures"):
            pictures[place]


def test_records_of_others_get_a_key(tmp_path: Path) -> None:
    files = [GOLDEN / "tensorflow.tfrecord", GOLDEN / "webdataset.tar"]
    read = list(read_pictures(files, rank=1, count=2))
    keys = [picture.key for picture in read]
    assert keys == ["tensorflow_00000001", "some/folder/0000", "some/folder/0002"]
    assert PackedPictures(files[:1])[1] == read[0]
    assert len(PackedPictures([])) == 0


def test_a_record_without_a_picture_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.tfrecord"
    with writing_tfrecord(file) as add:
        add(encode_example({"image/encoded": [b"a"]}))
        add(encode_example({"x": [1]}))
    with pytest.raises(RecordError, match=r"a\.tfrecord: record 1: the record has no image/enc"):
        list(read_pictures([file]))
    with pytest.raises(RecordError, match="record 1"):
        PackedPictures([file])[1]


def test_a_damaged_picture_is_refused_or_not_looked_at(tmp_path: Path) -> None:
    (file, *_) = packed_files(pack(tmp_path), "train")
    file.write_bytes(file.read_bytes().replace(b"jpeg 2", b"jpeg 3"))
    for pictures in (read_pictures([file]), PackedPictures([file])):
        with pytest.raises(RecordError, match="CRC-32C"):
            list(pictures)
    for pictures in (read_pictures([file], verify=False), PackedPictures([file], verify=False)):
        assert [picture.encoded for picture in pictures][2] == b"jpeg 3"


def test_without_a_manifest_the_files_are_not_complete(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"p_manifest\.json cannot be read.*run mode pack again"):
        packed_files(tmp_path / "p", "train")


def test_a_manifest_of_another_version(tmp_path: Path) -> None:
    manifest = pack(tmp_path).with_name("p_manifest.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format_version": 2}))
    with pytest.raises(RecordError, match="format version 2, this toolkit reads 1"):
        packed_files(tmp_path / "p", "train")


def test_a_file_that_is_missing_or_short(tmp_path: Path) -> None:
    output = pack(tmp_path)
    assert packed_files(output, "test") == []
    file = packed_files(output, "train")[1]
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(RecordError, match=r"p_train_00001\.tfrecord has .* bytes, p_manifest"):
        packed_files(output, "train")
    file.unlink()
    with pytest.raises(RecordError, match=r"p_train_00001\.tfrecord is missing"):
        packed_files(output, "train")
