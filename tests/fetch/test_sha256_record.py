"""Trusted on the first use, and the same ever after."""

import hashlib
import json
import logging
import os
from pathlib import Path

import pytest

from toolkit.errors import FetchError
from toolkit.fetch.record import check_record, keep_record, record_file

URL = "https://bucket.bj.bcebos.com/model.pdparams"


@pytest.fixture(params=["file", "folder"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "file":
        (tmp_path / "model").write_bytes(b"weights")
    else:
        (tmp_path / "model/sub").mkdir(parents=True)
        (tmp_path / "model/sub/a.bin").write_bytes(b"weights")
        (tmp_path / "model/b.bin").write_bytes(b"more")
    return tmp_path / "model"


def one_file(target: Path) -> Path:
    return target if target.is_file() else target / "sub/a.bin"


def touch(file: Path, seconds: int) -> None:
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + seconds * 10**9))


def replace_unnoticed(file: Path) -> None:
    """Other bytes of the same number and time."""
    status = file.stat()
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_the_first_use_says_that_it_trusts_and_keeps_the_sha256(
    target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    keep_record(target, URL)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    for part in ("first time", "no published checksum", "trusted", sha256):
        assert part in caplog.text
    record = json.loads(record_file(target).read_text())
    assert record["format_version"] == 1
    assert record["url"] == URL
    name = one_file(target).relative_to(target).as_posix() if target.is_dir() else "model"
    status = one_file(target).stat()
    expected = {"size": 7, "mtime_ns": status.st_mtime_ns, "sha256": sha256}
    assert record["files"][name] == expected
    assert len(record["files"]) == (1 if target.is_file() else 2)


def test_what_someone_put_there_is_trusted_on_its_first_use(
    target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    check_record(target, verify=False)
    assert "trusted" in caplog.text
    assert json.loads(record_file(target).read_text())["url"] is None


def test_a_change_is_an_error_that_says_what_to_do(target: Path) -> None:
    keep_record(target, URL)
    one_file(target).write_bytes(b"WEIGHTS")
    touch(one_file(target), 1)
    with pytest.raises(FetchError) as caught:
        check_record(target, verify=False)
    sha256 = hashlib.sha256(b"WEIGHTS").hexdigest()
    parts = (URL, sha256, hashlib.sha256(b"weights").hexdigest(), "on purpose", "fetched again")
    for part in (*parts, str(target), str(record_file(target))):
        assert part in str(caught.value)


def test_another_size_is_seen_at_the_same_time_of_change(target: Path) -> None:
    keep_record(target, URL)
    status = one_file(target).stat()
    one_file(target).write_bytes(b"longer weights")
    os.utime(one_file(target), ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(FetchError, match="not the file that was first used"):
        check_record(target, verify=False)


def test_verify_reads_what_nothing_hints_at(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keep_record(target, URL)
    check_record(target, verify=True)
    assert "is what it was" in caplog.text
    replace_unnoticed(one_file(target))
    check_record(target, verify=False)
    with pytest.raises(FetchError, match="not the file that was first used"):
        check_record(target, verify=True)


def test_a_touched_file_is_read_once_and_remembered(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_record(target, URL)
    touch(one_file(target), 5)
    check_record(target, verify=False)
    monkeypatch.setattr("toolkit.fetch.record.sha256_file", None)
    check_record(target, verify=False)
    assert json.loads(record_file(target).read_text())["url"] == URL


def test_a_file_that_is_gone_from_a_folder_is_missed(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    keep_record(folder, URL)
    (folder / "a").unlink()
    with pytest.raises(FetchError, match="it is gone"):
        check_record(folder, verify=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format_version": 2, "url": "", "files": {}}',
        '{"format_version": 1, "url": "", "files": {"model": 3}}',
    ],
)
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "model").write_bytes(b"x")
    record_file(tmp_path / "model").write_text(text)
    with pytest.raises(FetchError, match=r"model\.sha256\.json is not a record.*Delete it"):
        check_record(tmp_path / "model", verify=False)


def test_a_cache_that_cannot_be_written_to_is_used_all_the_same(
    target: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("toolkit.fetch.record.write_json", refuse)
    check_record(target, verify=False)
    assert "No record" in caplog.text
