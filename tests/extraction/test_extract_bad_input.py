"""Everything that may be wrong with an input: a failed row, or an error that names it."""

import base64
import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import file_server
import numpy as np
import pytest
from PIL import Image

from tests.extraction.conftest import SOURCE
from toolkit.build.extraction import model_to_open
from toolkit.config.extract_section import ExtractSection
from toolkit.errors import ConfigError, DatasetError
from toolkit.extraction.addresses import Addresses, ReadError
from toolkit.extraction.records import Record
from toolkit.fetch import http
from toolkit.tasks.extract import extract


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[file_server.FileServer]:
    monkeypatch.setattr(http, "_PAUSES", (0.0, 0.0))
    with file_server.serving() as running:
        yield running


def png(side: int = 40) -> bytes:
    file = BytesIO()
    Image.fromarray(np.full((side, side, 3), 99, np.uint8)).save(file, "PNG")
    return file.getvalue()


def lines(tmp_path: Path, *texts: str) -> Path:
    file = tmp_path / "list.txt"
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return file


def reason(addresses: Addresses, address: str) -> tuple[str, str]:
    with pytest.raises(ReadError) as caught:
        addresses.read(Record(address, "address", address))
    return caught.value.cause, str(caught.value)


def test_addresses_good_dead_slow_huge(run_extract, server, tmp_path):
    server.files["/good.png"] = file_server.Served(png())
    server.files["/stalls.png"] = file_server.Served(png(), lasting=file_server.STALL)
    server.files["/endless.png"] = file_server.Served(b"", lasting=file_server.ENDLESS)
    server.files["/cut.png"] = file_server.Served(png(), lasting=20)
    server.files["/busy.png"] = file_server.Served(png(), faults=[503])
    names = ["good", "gone", "stalls", "endless", "cut", "busy"]
    addresses = [f"{server.url}/{name}.png" for name in names]
    source = lines(tmp_path, *addresses, "http://127.0.0.1:1/dead.png", "gopher://x/y.png")
    report = run_extract(source, "x.npy", http_timeout=0.2, max_bytes=1_000_000)
    rows = np.load(tmp_path / "x.npy")
    assert np.isnan(rows).any(axis=1).tolist() == [False, True, True, True, True, False, True, True]
    assert report.merged.causes == {"network": 4, "too large": 1, "row": 1}
    assert (rows[0] == rows[5]).all()


def test_a_server_that_drips_is_given_up(server):
    """Something comes within every timeout, and the whole never does."""
    server.files["/x"] = file_server.Served(b"", lasting=file_server.ENDLESS)
    addresses = Addresses(timeout=5, deadline=0.05, max_bytes=1 << 40)
    cause, said = reason(addresses, f"{server.url}/x")
    assert cause == "network"
    assert "before the deadline (1 try" in said


@pytest.mark.parametrize(
    ("address", "cause", "said"),
    [
        ("inside/../../outside.png", "forbidden", "lies outside of what is allowed"),
        ("link.png", "forbidden", "lies outside"),
        ("gone.png", "missing", "no such file"),
        ("picture.png/x", "missing", "no such file"),
        (".", "unreadable", "directory"),
        ("a\0b.png", "unreadable", "cannot be read"),
        ("x" * 5000, "unreadable", "cannot be read"),
        ("ftp://host/a.png", "row", "expected a path"),
        ("oss://other/a.png", "forbidden", "bucket 'other' is not allowed (mine)"),
        ("oss://mine/../other/a.png", "forbidden", "lies outside"),
        ("oss://mine", "row", "expected oss://bucket/key"),
        ("oss://../outside.png", "forbidden", "bucket '..' is not allowed"),
        ("oss://mine/gone.png", "missing", "no such file"),
    ],
)
def test_only_what_is_allowed_is_opened(tmp_path, address, cause, said):
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "picture.png").write_bytes(png())
    (tmp_path / "outside.png").write_bytes(png())
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    for bucket in ("mine", "other"):
        (tmp_path / "oss" / bucket).mkdir(parents=True)
        (tmp_path / "oss" / bucket / "a.png").write_bytes(png())
    addresses = Addresses(
        folder=root, roots=(Path(os.path.realpath(root)),), buckets=("mine",),
        oss_root=tmp_path / "oss",
    )  # fmt: skip
    found, message = reason(addresses, address)
    assert (found, said in message) == (cause, True), message
    for good in ("picture.png", "oss://mine/a.png", str(root / "inside/../picture.png")):
        assert addresses.read(Record(good, "address", good)) == png()


def test_a_bucket_is_a_name(tmp_path):
    """Without a list of buckets dots would lead out of the folder of all of them."""
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "oss").mkdir()
    addresses = Addresses(oss_root=tmp_path / "oss")
    for address in ("oss://../secret.png", "oss://./../secret.png", "oss:///secret.png"):
        assert reason(addresses, address)[0] == "row"


def test_a_file_without_permission(tmp_path):
    file = tmp_path / "x.png"
    file.write_bytes(png())
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    cause, said = reason(Addresses(), str(file))
    assert cause == "unreadable"
    assert "Permission denied" in said


def test_base64_of_every_kind():
    text = base64.b64encode(png()).decode()
    addresses = Addresses(max_bytes=1000)
    for spelling in (text, f"data:image/png;base64,{text}", text[:20] + "\n " + text[20:]):
        assert addresses.read(Record("row 1", "base64", spelling)) == png()
    with pytest.raises(ReadError, match="no base64"):
        addresses.read(Record("row 1", "base64", "%%"))
    with pytest.raises(ReadError, match=r"row 1: more than 1,000 bytes"):
        addresses.read(Record("row 1", "base64", base64.b64encode(bytes(2000)).decode()))


def test_files_of_every_fault_are_failed_rows(run_extract, tmp_path):
    bomb = BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    files = {
        "good": png(), "bomb": bomb.getvalue(), "empty": b"", "cut": png()[:-20],
        "page": b"<html>", "huge": png() + bytes(300_000),
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / f"{name}.png").write_bytes(data)
    source = lines(tmp_path, *(f"{name}.png" for name in files), "gone.png")
    report = run_extract(source, input_root=str(tmp_path), max_bytes=250_000)
    assert report.merged.causes == {
        "bomb": 1, "zero bytes": 1, "truncated": 1, "not an image": 1, "too large": 1, "missing": 1,
    }  # fmt: skip
    text = (tmp_path / "features.txt").read_text().splitlines()
    assert [line.partition(",")[0] for line in text] == [*(f"{n}.png" for n in files), "gone.png"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a.png\n\nb\xff.png\n", r"list.txt:3: not UTF-8 \(byte 2 of the line is 0xff\)"),
        ("a.png\n".encode("utf-16"), r"list.txt:1: not UTF-8"),
        ("a.png\n".encode("utf-16-le"), r"list.txt:1: holds a zero byte"),
    ],
)
def test_a_list_in_another_encoding_is_an_error_with_its_line(run_extract, tmp_path, data, said):
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(DatasetError, match=said):
        run_extract(tmp_path / "list.txt")


def test_marks_and_line_ends_are_no_part_of_a_path(run_extract, tmp_path):
    (tmp_path / "ä b.png").write_bytes(png())
    (tmp_path / "list.txt").write_bytes("\ufeffä b.png\r\n\r\n \t\nä b.png".encode())
    report = run_extract(tmp_path / "list.txt", input_root=str(tmp_path))
    assert report.failed == 0
    text = (tmp_path / "features.txt").read_text(encoding="utf-8")
    assert re.findall(r"^(.*?),  \{", text, re.MULTILINE) == ["ä b.png", "ä b.png"]


def test_a_full_disk_loses_nothing(run_extract, listed, tmp_path, monkeypatch):
    """Writing a shard fails; what was written before it is gone on with."""
    from toolkit.extraction import shard_file

    original, left = shard_file.ShardWriter.finish, [1]

    def full(self):
        if not left:
            raise OSError(28, "No space left on device")
        left.pop()
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(shard_file.ShardWriter, "finish", full)
        with pytest.raises(OSError, match="No space left"):
            run_extract(listed)
    work = tmp_path / "features.txt.work"
    assert sorted(file.name for file in work.iterdir()) == ["0000000.shard", "job.json"]
    assert run_extract(listed).computed == 21 - 8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("s3://bucket/x.npy", r"Extract.output is 's3://bucket/x.npy'; expected a file"),
        ("pictures", r"Extract.output '.*pictures' is a folder"),
        ("list.txt", r"Extract.input and Extract.output are both .*list.txt"),
    ],
)
def test_an_output_that_cannot_be_one(listed, tmp_path, monkeypatch, model_dir, name, said):
    monkeypatch.chdir(tmp_path)
    section = ExtractSection(input=str(listed), output=name)
    with pytest.raises(ConfigError, match=said):
        extract(
            section,
            model_to_open(section, SOURCE),
            "cpu",
        )


def test_a_damaged_shard_is_made_again(run_extract, listed, tmp_path, monkeypatch):
    from toolkit.extraction.worker import Worker

    run_extract(listed, "whole.txt")
    original = Worker.run

    def dies_over_the_last(self, piece):
        if piece.number == 2:
            raise KeyboardInterrupt
        return original(self, piece)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "run", dies_over_the_last)
        with pytest.raises(KeyboardInterrupt):
            run_extract(listed, "part.txt")
    shard = tmp_path / "part.txt.work/0000001.shard"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(bytes(data))
    assert run_extract(listed, "part.txt").computed == 8 + 5
    assert (tmp_path / "part.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


@pytest.mark.parametrize(
    ("kind", "content", "mapped", "remote"),
    [
        ("address", "a/b.jpg", False, False),
        ("address", "https://x/b.jpg", False, True),
        ("address", "oss://bucket/b.jpg", False, True),
        ("address", "oss://bucket/b.jpg", True, False),
        ("base64", "https://x", False, False),
        ("bytes", b"https://x", False, False),
    ],
)
def test_what_comes_over_the_network(kind, content, mapped, remote, tmp_path):
    addresses = Addresses(oss_root=tmp_path if mapped else None)
    assert addresses.is_remote(Record("x", kind, content)) is remote
