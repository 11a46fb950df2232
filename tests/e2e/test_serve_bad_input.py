"""Bad input over a real socket, full disks and damaged files: well-formed answers, nothing lost."""

import json
import re
import shutil
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

from tests.e2e.served import Served, as_text
from tests.serving.conftest import drawn

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PNG = {"Content-Type": "image/png"}
MIB = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "root", tmp_path / "out")
    _with_database(served)
    yield served
    served.kill()


def _with_database(server: Served) -> None:
    server.call("init", backend="oss", root_path="oss://default")
    server.call("add", database_name="a")


def _bomb_png(side: int) -> bytes:
    """A few bytes whose header claims side x side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def _bomb_jpeg(side: int) -> bytes:
    """A small JPEG whose frame header claims side x side pixels."""
    picture = bytearray(drawn(1, form="JPEG"))
    at = picture.index(b"\xff\xc0") + 5
    picture[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(picture)


def _numbers(server: Served) -> dict[str, float]:
    with server.open("/metrics") as answer:
        lines = [line.split(" ") for line in answer.read().decode().splitlines()]
    return {line[0]: float(line[1]) for line in lines if len(line) == 2}


def _memory(server: Served) -> float:
    return _numbers(server)["process_resident_memory_bytes"]


def _count(server: Served) -> int:
    return int(server.ask("/v1/databases/a")[1]["count"])


@pytest.mark.parametrize(
    "picture",
    [
        _bomb_png(10_000),
        _bomb_jpeg(10_000),
        drawn(1, form="JPEG")[:-100],
        drawn(1)[:40],
        drawn(1)[:-20],
        b"GIF89a",
        b"<script>alert(1)</script>",
        b"\x00" * 1000,
        b"",
    ],
    ids=["png bomb", "jpeg bomb", "cut jpeg", "png header", "cut png", "gif", "html", "zeros", "-"],
)
def test_what_is_no_picture_is_told_in_every_envelope(server: Served, picture: bytes) -> None:
    before = _memory(server)
    for path in ("/v1/features", "/v1/databases/a/search", "/v1/databases/a/images?group_id=g"):
        status, answer = server.ask(path, picture, **PNG)
        assert (status, answer["status"]) == (422, 422)
        assert answer["kind"] in ("bad_picture", "wrong_value")
    for name in ("db_set", "db_search"):
        told = server.call(name, database_name="a", group_id="g", image=as_text(picture))
        assert (told["success"], told["error_code"] in (1004, 5001)) == (False, True)
    body = json.dumps({"imageLabelPairs": [{"image": as_text(picture), "label": "a"}]}).encode()
    status, told = server.ask("/shitu-index-build", body)
    assert (status, told["errorCode"]) == (422, 422)
    assert _count(server) == 0
    # 100 megapixels would be 300 MB.
    assert _memory(server) - before < 100 * MIB


def test_a_polyglot_is_a_picture_and_nothing_else(server: Served) -> None:
    polyglot = drawn(1) + b"<html><script>alert(1)</script></html>"
    assert server.ask("/v1/databases/a/images?group_id=g", polyglot, **PNG)[0] == 201
    with server.open("/v1/databases/a/picture?group_id=g&intra_id=0") as shown:
        assert shown.headers["Content-Type"] == "image/png"
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in shown.headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ["text/html", "application/xml", "", "image", "x" * 5000])
def test_another_content_type_is_told(server: Served, kind: str) -> None:
    status, answer = server.ask("/v1/databases/a/search", drawn(1), **{"Content-Type": kind})
    assert (status, answer["kind"]) == (415, "wrong_content_type")


def test_wrong_dimensions_databases_and_bodies_are_told(server: Served) -> None:
    picture = as_text(drawn(1))
    told = server.call("add", database_name="b", feature_dim_dict={"feature": 384})
    assert (told["error_code"], "256" in told["error_msg"], "384" in told["error_msg"]) == (
        5003,
        True,
        True,
    )
    told = server.call("db_search", database_name="none", image=picture)
    assert (told["error_code"], "none" in told["error_msg"]) == (3001, True)
    assert server.ask("/v1/databases/none/search", drawn(1), **PNG)[0] == 404
    long = b"x" * 20_000_001
    assert server.ask("/v1/features", long, **PNG)[0] == 413
    assert server.ask("/v1/features", b"[" * 1_000_000, **{"Content-Type": "application/json"})[
        0
    ] in (400, 422)


def test_a_storm_stays_within_memory_and_few_files(tmp_path: Path) -> None:
    """10,000 searches of 128 clients, of which a server with 160 files takes 80 at a time."""
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        pytest.skip("prlimit is not installed")
    limits = ("Serve.queue_size=16", "Serve.max_requests=64")
    server = Served(
        tmp_path / "root", tmp_path / "out", *limits, inside=[prlimit, "--nofile=160:160"]
    )
    try:
        _with_database(server)
        server.call("db_set", database_name="a", group_id="g", image=as_text(drawn(1)))
        before, body, answers = _memory(server), drawn(1, side=16), list[int]()

        def ask(number: int) -> None:
            paths = ("/v1/databases/a/search", "/v1/databases", "/v1/databases/none/search")
            path = paths[number % 3]
            try:
                status, answer = server.ask(path, body if "search" in path else None, **PNG)
            except (ConnectionError, TimeoutError, URLError):
                return  # closed before it was read; the client knows
            assert isinstance(answer, dict)
            answers.append(status)

        with ThreadPoolExecutor(128) as pool:
            list(pool.map(ask, range(10_000)))
        assert set(answers) <= {200, 404, 503}
        assert answers.count(200) > 1000
        assert len(answers) > 9_000
        assert _memory(server) - before < 200 * MIB
        numbers = _numbers(server)
        assert numbers["toolkit_requests_under_way"] <= 1
        assert numbers["toolkit_queue_depth"] == 0
        assert _count(server) == 1
    finally:
        server.kill()


def test_slow_uploads_leave_room_for_others(tmp_path: Path) -> None:
    """60 clients send a byte now and then; others are answered meanwhile."""
    server = Served(tmp_path / "root", tmp_path / "out", "Serve.read_timeout=2.0")
    parts = urlsplit(server.address)
    slow = [
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), 30) for _ in range(60)
    ]
    stop = threading.Event()

    def drip() -> None:
        with suppress(OSError):  # let go
            while not stop.wait(0.2):
                for one in slow:
                    one.sendall(b"x")

    try:
        for one in slow:
            one.sendall(
                b"POST /v1/features HTTP/1.1\r\nHost: x\r\nAuthorization: t0ken-of-the-test\r\n"
                b"Content-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
            )
        thread = threading.Thread(target=drip)
        thread.start()
        for _ in range(10):
            assert server.ask("/v1/features", drawn(1), **PNG)[0] == 200
        answers = [_all_of(one) for one in slow]
        stop.set()
        thread.join()
        assert all(re.match(rb"HTTP/1.1 408 ", answer) for answer in answers)
        assert _numbers(server)["toolkit_buffered_bytes"] == 0
    finally:
        stop.set()
        for one in slow:
            one.close()
        server.kill()


def test_heads_that_never_end_are_let_go(tmp_path: Path) -> None:
    """The first of a connection, one after a request that was answered, and one without an end."""
    server = Served(tmp_path / "root", tmp_path / "out", "Serve.read_timeout=1.0")
    parts = urlsplit(server.address)
    probe = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    begun = b"GET /livez HTTP/1.1\r\nHo"
    trailers = (
        b"POST /v1/features HTTP/1.1\r\nHost: x\r\nAuthorization: t0ken-of-the-test\r\n"
        b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    )
    try:
        with ExitStack() as stack:
            silent, first, second, *long = (
                stack.enter_context(
                    socket.create_connection((str(parts.hostname), int(parts.port or 0)), 30)
                )
                for _ in range(5)
            )
            first.sendall(begun)
            second.sendall(probe)
            answer = b""
            while b"alive" not in answer:
                answer += second.recv(65_536)
            second.sendall(begun)
            for one, head in zip(long, (b"GET /livez HTTP/1.1\r\n", trailers), strict=True):
                with suppress(OSError):  # it is refused while it sends
                    one.sendall(head + b"X: " + b"x" * 10_000_000)
                assert _all_of(one).startswith(b"HTTP/1.1 431 ")
            assert _all_of(first) == _all_of(silent) == _all_of(second) == b""
            assert server.ask("/v1/features", drawn(1), **PNG)[0] == 200
    finally:
        server.kill()


def _all_of(opened: Any) -> bytes:
    data = b""
    with suppress(OSError):  # it sent on after the answer; what has come counts
        while block := opened.recv(65_536):
            data += block
    return data
