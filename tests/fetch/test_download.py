"""Downloads against a server that truncates, stalls, lies and changes its mind."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from file_server import STALL, FileServer, Served

from toolkit.errors import FetchError
from toolkit.fetch.download import download
from toolkit.fetch.options import FetchOptions
from toolkit.fetch.record import record_file

CONTENT = bytes(range(256)) * 4000
OTHER = bytes(reversed(CONTENT))
TAG = {"ETag": '"first"'}


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()  # noqa: S324 - the header's


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "file.bin"


def test_the_first_use_downloads_and_later_ones_do_not_ask(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    server.files["/file"] = Served(CONTENT)
    told: list[tuple[int, int | None]] = []
    for _ in range(2):
        found = download(
            f"{server.url}/file", target, options=options, progress=lambda *a: told.append(a)
        )
        assert found == target
        assert target.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert names(target.parent) == {"file.bin", "file.bin.sha256.json"}


@pytest.mark.parametrize("fault", [1000, 500, 503, 429])
def test_what_may_pass_is_tried_again(
    server: FileServer, options: FetchOptions, target: Path, fault: int
) -> None:
    server.files["/file"] = Served(CONTENT, faults=[fault])
    download(f"{server.url}/file", target, options=options)
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        (1000, "ended after 1,000 of 1,024,000 bytes", 3),
        (500, "500 Internal Server Error", 3),
        (416, "416 Requested Range Not Satisfiable", 1),
        (206, "206 to a plain request", 1),
        (STALL, "nothing came for 0.05 s", 3),
        (None, "404 Not Found", 1),
    ],
)
def test_a_failure_leaves_nothing_half_and_names_the_ways_out(
    server: FileServer,
    options: FetchOptions,
    target: Path,
    fault: object,
    reason: str,
    tries: int,
) -> None:
    if fault is not None:
        server.files["/file"] = Served(CONTENT, lasting=fault)
    url = f"{server.url}/file"
    with pytest.raises(FetchError) as caught:
        download(url, target, options=options, timeout=0.05 if fault == STALL else 5)
    assert len(server.asked) == tries
    assert names(target.parent) == set()
    for part in (url, reason, "null", "local copy", str(target), "TOOLKIT_MIRROR"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "headers", [TAG, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}], ids=["tag", "date"]
)
def test_a_cut_download_goes_on_where_it_ended(
    server: FileServer, options: FetchOptions, target: Path, headers: dict[str, str]
) -> None:
    """Any number of cuts are lived with as long as each try brings something."""
    server.files["/file"] = Served(CONTENT, headers, faults=[300_000] * 3)
    told: list[tuple[int, int | None]] = []
    url = f"{server.url}/file"
    download(url, target, options=options, progress=lambda *a: told.append(a))
    assert target.read_bytes() == CONTENT
    starts = [f"bytes={300_000 * number}-" for number in (1, 2, 3)]
    assert server.ranges_asked() == [None, *starts]
    assert {condition for _, _, condition in server.asked[1:]} == set(headers.values())
    assert all(total == len(CONTENT) for _, total in told)
    assert (600_000, len(CONTENT)) in told


def test_a_later_call_goes_on_with_what_an_earlier_one_got(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    served = server.files["/file"] = Served(CONTENT, TAG, faults=[300_000, 500, 500, 500])
    with pytest.raises(FetchError):
        download(f"{server.url}/file", target, options=options)
    assert part_of(target).stat().st_size == 300_000
    served.faults.clear()
    server.asked.clear()
    download(f"{server.url}/file", target, options=options)
    assert server.ranges_asked() == ["bytes=300000-"]
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == {"file.bin", "file.bin.sha256.json"}


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ({"ranges": False}, TAG),  # 200 to a range
        ({"headers": {"ETag": '"second"'}, "content": OTHER}, TAG),  # changed: 200 by If-Range
        (
            # changed, and the server does not look at If-Range
            {"headers": {"ETag": '"second"'}, "content": OTHER, "checks_if_range": False},
            TAG,
        ),
        ({"content": OTHER * 2, "checks_if_range": False}, TAG),  # another length, the same tag
        ({"content": CONTENT[:1000]}, TAG),  # shorter than what is here: 416
        ({"shift": 7}, TAG),  # another range than was asked for
    ],
    ids=["200", "changed", "ignores If-Range", "length", "416", "shifted"],
)
def test_it_starts_over_where_going_on_is_not_safe(
    server: FileServer,
    options: FetchOptions,
    target: Path,
    change: dict[str, object],
    headers: dict[str, str],
) -> None:
    served = server.files["/file"] = Served(CONTENT, headers, faults=[300_000, 500, 500, 500])
    url = f"{server.url}/file"
    with pytest.raises(FetchError):
        download(url, target, options=options)
    served.faults.clear()
    for name, value in change.items():
        setattr(served, name, value)
    download(url, target, options=options)
    assert target.read_bytes() == served.content


@pytest.mark.parametrize(
    "change", [{"shift": 7}, {"headers": {"ETag": '"second"'}, "checks_if_range": False}]
)
def test_a_partial_answer_that_does_not_continue_is_not_appended(
    server: FileServer, options: FetchOptions, target: Path, change: dict[str, object]
) -> None:
    served = server.files["/file"] = Served(CONTENT, TAG, faults=[300_000, 500, 500, 500])
    with pytest.raises(FetchError):
        download(f"{server.url}/file", target, options=options)
    served.faults.clear()
    for name, value in change.items():
        setattr(served, name, value)
    told: list[int] = []
    url = f"{server.url}/file"
    download(url, target, options=options, progress=lambda done, _: told.append(done))
    assert told[0] == 0


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_a_file_whose_versions_nothing_tells_apart_is_asked_for_as_a_whole(
    server: FileServer, options: FetchOptions, target: Path, headers: dict[str, str]
) -> None:
    server.files["/file"] = Served(CONTENT, headers, faults=[300_000])
    download(f"{server.url}/file", target, options=options)
    assert server.ranges_asked() == [None, None]
    assert target.read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_gone_on_with(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    server.files["/a"] = Served(CONTENT, TAG, faults=[300_000, 500, 500, 500])
    server.files["/b"] = Served(OTHER, TAG)
    with pytest.raises(FetchError):
        download(f"{server.url}/a", target, options=options)
    download(f"{server.url}/b", target, options=options)
    assert target.read_bytes() == OTHER


def test_damaged_notes_of_a_part_are_passed_over(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    server.files["/file"] = Served(CONTENT, TAG)
    target.parent.mkdir()
    for text in ("", "[]", '{"format_version": 1}', '{"format_version": 9, "address": "x"}'):
        part_of(target).write_bytes(OTHER[:300_000])
        part_of(target).with_name(f"{part_of(target).name}.json").write_text(text)
        download(f"{server.url}/file", target, options=options)
        assert target.read_bytes() == CONTENT
        target.unlink()
        record_file(target).unlink()


def test_a_part_that_is_complete_is_used_without_asking(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    """A kill between the last byte and the rename."""
    served = server.files["/file"] = Served(CONTENT, TAG, faults=[300_000, 500, 500, 500])
    with pytest.raises(FetchError):
        download(f"{server.url}/file", target, options=options)
    with part_of(target).open("ab") as file:
        file.write(CONTENT[300_000:])
    served.lasting = 500
    server.asked.clear()
    download(f"{server.url}/file", target, options=options)
    assert server.asked == []
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_part_of_the_wrong_length_is_not_taken_for_whole(
    server: FileServer, options: FetchOptions, target: Path, length: int
) -> None:
    server.files["/file"] = Served(CONTENT, TAG, faults=[300_000, 500, 500, 500])
    with pytest.raises(FetchError):
        download(f"{server.url}/file", target, options=options)
    part_of(target).write_bytes((CONTENT + b"x")[:length])
    download(f"{server.url}/file", target, options=options)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"Content-MD5": md5(OTHER)}, "Content-MD5"),
        ({"ETag": f'"{hashlib.md5(OTHER).hexdigest()}"'}, "ETag"),  # noqa: S324 - the header's
    ],
)
def test_wrong_bytes_are_found_out(
    server: FileServer,
    options: FetchOptions,
    target: Path,
    headers: dict[str, str],
    origin: str,
) -> None:
    served = server.files["/file"] = Served(CONTENT, headers)
    with pytest.raises(FetchError, match=f"the bytes are damaged.*{origin} says"):
        download(f"{server.url}/file", target, options=options)
    assert names(target.parent) == set()
    served.content = OTHER
    assert download(f"{server.url}/file", target, options=options).read_bytes() == OTHER


def test_a_resumed_file_is_checked_as_a_whole(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    headers = {**TAG, "Content-MD5": md5(CONTENT)}
    server.files["/file"] = Served(CONTENT, headers, faults=[300_000, 500, 500, 500])
    with pytest.raises(FetchError):
        download(f"{server.url}/file", target, options=options)
    part_of(target).write_bytes(OTHER[:300_000])  # a disk that forgot
    download(f"{server.url}/file", target, options=options)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"d41d8cd98f00b204e9800998ecf8427e-12"'},  # of an upload in pieces
        {"ETag": '"5f3e-61a"'},
        {"Content-MD5": "no base64"},
        {"Content-MD5": base64.b64encode(b"short").decode()},
    ],
)
def test_headers_that_are_no_checksum_are_not_taken_for_one(
    server: FileServer, options: FetchOptions, target: Path, headers: dict[str, str]
) -> None:
    server.files["/file"] = Served(CONTENT, headers)
    download(f"{server.url}/file", target, options=options)
    assert len(server.asked) == 1


def test_a_mirror_is_asked_for_official_files_and_the_record_names_the_official_address(
    server: FileServer, options: FetchOptions, target: Path
) -> None:
    server.files["/base/models/file?v=1"] = Served(CONTENT)
    mirrored = FetchOptions(options.cache, mirror=f"{server.url}/base/")
    official = "https://bucket.bj.bcebos.com/models/file?v=1"
    assert download(official, target, options=mirrored).read_bytes() == CONTENT
    assert json.loads(record_file(target).read_text())["url"] == official


def test_redirects_keep_the_range(server: FileServer, options: FetchOptions, target: Path) -> None:
    server.files["/to"] = Served(b"", redirect="/file")
    server.files["/file"] = Served(CONTENT, TAG, faults=[300_000])
    download(f"{server.url}/to", target, options=options)
    assert target.read_bytes() == CONTENT
    assert [entry[:2] for entry in server.asked][2:] == [
        ("/to", "bytes=300000-"),
        ("/file", "bytes=300000-"),
    ]


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://x/y", "images/a.jpg", "", "http://["]
)
def test_other_addresses_are_refused(url: str, options: FetchOptions, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="not an http"):
        download(url, tmp_path / "file", options=options)
    assert not list(tmp_path.iterdir())


PROCESS = """
import logging, sys
from pathlib import Path
from toolkit.fetch.download import download
from toolkit.fetch.options import FetchOptions
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
target = Path(sys.argv[2])
def tell(done, total):
    print("done", done, flush=True)
download(sys.argv[1], target, options=FetchOptions(target.parent), timeout=20, progress=tell)
print("finished", flush=True)
"""


def start(url: str, target: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, url, str(target)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "no_proxy": "*"},
    )


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if text in line:
            return lines
    pytest.fail(f"{text!r} never came: {lines}")


def slow_server(server: FileServer) -> threading.Event:
    """Holds every answer of /file after 600,000 bytes until the event is set."""
    go_on = threading.Event()
    handler = server.RequestHandlerClass

    class Holding(handler):
        def _answer(self, code, body, headers=None, length=None):
            first, rest = body[:600_000], body[600_000:]
            super()._answer(code, first, headers, length if length is not None else len(body))
            if not go_on.wait(20):
                return
            self.wfile.write(rest)

    server.RequestHandlerClass = Holding
    return go_on


def test_a_killed_process_leaves_a_part_that_the_next_one_completes(
    server: FileServer, tmp_path: Path
) -> None:
    go_on = slow_server(server)
    server.files["/file"] = Served(CONTENT, TAG)
    target = tmp_path / "file.bin"
    process = start(f"{server.url}/file", target)
    read_until(process, "done 524288")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not target.exists()
    kept = part_of(target).stat().st_size
    assert 0 < kept <= 600_000
    go_on.set()
    # The lock file of the dead process is still there and keeps nobody out.
    assert ".file.bin.lock" in names(tmp_path)
    download(f"{server.url}/file", target, options=FetchOptions(tmp_path))
    assert server.ranges_asked() == [None, f"bytes={kept}-"]
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == {"file.bin", "file.bin.sha256.json"}


def test_a_second_process_waits_and_finds_the_file(server: FileServer, tmp_path: Path) -> None:
    go_on = slow_server(server)
    server.files["/file"] = Served(CONTENT, TAG)
    target = tmp_path / "file.bin"
    first = start(f"{server.url}/file", target)
    read_until(first, "done 524288")
    second = start(f"{server.url}/file", target)
    read_until(second, "Another process is making")
    go_on.set()
    told = [process.communicate(timeout=20)[0] for process in (first, second)]
    assert all("finished" in text for text in told)
    assert "done" not in told[1]
    assert len(server.asked) == 1
    assert target.read_bytes() == CONTENT
