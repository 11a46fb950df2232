"""Tar shards: those of the package webdataset are read, ours are read by it."""

import io
import tarfile
import time
from pathlib import Path

import pytest

from toolkit.data.packing.picture import PackedPicture
from toolkit.data.packing.webdataset import read_shard, writing_shard
from toolkit.errors import RecordError

GOLDEN = Path(__file__).parent / "golden" / "webdataset.tar"
PICTURES = [
    PackedPicture("00000001", b"\xff\xd8one\xff\xd9", "jpeg", "苹果/a b.jpg", 3, "红", 4, 5),
    PackedPicture("00000002", b"\x89PNG two", "png", "caf\udce9.png", -1, "", 1, 1),
    PackedPicture("00000007", b"x" * 3000, "jpeg", "c.jpg", 2**40, "0", 9, 9),
]


def write(path: Path) -> Path:
    with writing_shard(path) as add:
        for picture in PICTURES:
            add(picture)
    return path


def write_members(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_pictures_come_back(tmp_path: Path) -> None:
    assert list(read_shard(write(tmp_path / "a.tar"))) == PICTURES


def test_a_shard_of_the_package_is_read() -> None:
    pictures = list(read_shard(GOLDEN))
    assert [picture.key for picture in pictures] == [f"some/folder/000{n}" for n in range(3)]
    assert [picture.encoded for picture in pictures] == [
        bytes([255, 216, number, 255, 217]) for number in range(3)
    ]
    assert [picture.label for picture in pictures] == [5, 6, 7]
    assert [picture.name for picture in pictures] == ["", "1.jpg", "2.jpg"]


# The package leaves closing its files to the collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_package_reads_our_shard(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    shard = str(write(tmp_path / "a.tar"))
    samples = list(webdataset.WebDataset(shard, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [picture.key for picture in PICTURES]
    assert samples[0]["jpg"] == PICTURES[0].encoded
    assert samples[1]["png"] == PICTURES[1].encoded
    decoded = list(
        webdataset.WebDataset(shard, shardshuffle=False).decode().to_tuple("cls", "json")
    )
    assert [label for label, _ in decoded] == [3, -1, 2**40]
    assert decoded[0][1]["filename"] == "苹果/a b.jpg"
    assert decoded[0][1]["class"] == "红"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_readers_share_the_samples(tmp_path: Path, count: int) -> None:
    shard = write(tmp_path / "a.tar")
    for rank in range(count):
        assert list(read_shard(shard, rank=rank, count=count)) == PICTURES[rank::count]


def test_the_clock_is_not_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "a.tar").read_bytes()
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert write(tmp_path / "b.tar").read_bytes() == first


def test_a_shard_is_cut_at_every_block(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.tar")
    whole = shard.read_bytes()
    last = len(whole.rstrip(b"\0"))
    for size in range(0, last + 512, 256):
        shard.write_bytes(whole[:size])
        with pytest.raises(RecordError, match=r"a\.tar: the shard is (cut off|damaged)"):
            list(read_shard(shard))


def test_a_changed_picture_is_found(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.tar")
    shard.write_bytes(shard.read_bytes().replace(b"PNG two", b"PNG toe"))
    with pytest.raises(RecordError, match=r"sample '00000002' does not fit its CRC-32C.*byte 3"):
        list(read_shard(shard))
    assert list(read_shard(shard, verify=False))[1].encoded == b"\x89PNG toe"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"1.cls": b"3"}, "sample '1' has the parts cls; expected one picture"),
        ({"1.jpg": b"a", "1.png": b"b"}, "has the parts jpg, png"),
        ({"1.jpg": b"a", "1.cls": b"cat"}, "its .cls is b'cat', expected a number"),
        ({"1.jpg": b"a", "1.json": b"{"}, "its .json cannot be read"),
        ({"1.jpg": b"a", "1.json": b'{"width": "wide"}'}, "width is 'wide', expected a number"),
        ({"README": b"a"}, "sample 'README' has the parts"),
    ],
)
def test_a_sample_that_is_none_is_named(
    tmp_path: Path, members: dict[str, bytes], words: str
) -> None:
    with pytest.raises(RecordError, match=words):
        list(read_shard(write_members(tmp_path / "a.tar", members)))


def test_a_file_that_is_no_tar(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"\x1f\x8b compressed")
    with pytest.raises(RecordError, match="no tar archive without compression"):
        list(read_shard(tmp_path / "a.tar"))
    with pytest.raises(RecordError, match=r"none\.tar: the shard cannot be read"):
        list(read_shard(tmp_path / "none.tar"))
