"""Kills, storms and slow clients: nothing acknowledged is lost, every answer is well-formed."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
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

PICTURES = [as_text(drawn(seed, side=16)) for seed in range(8)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "root", tmp_path / "out", "Serve.read_timeout=1.0")
    yield served
    served.kill()


def _open(server: Served) -> None:
    server.call("init", backend="oss", root_path="oss://default")


class _Writers:
    """Threads that write until they cannot, and remember what was acknowledged."""

    def __init__(self, server: Served, round_number: int) -> None:
        self._server, self._round = server, round_number
        self.acknowledged = list[tuple[str, int]]()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def _write(self, number: int) -> None:
        group = f"{self._round}-{number}"
        for at in range(10_000):
            try:
                told = self._server.call(
                    "db_set",
                    database_name="a",
                    group_id=group,
                    image=PICTURES[at % 8],
                    savename=f"{group}-{at}.png",
                )
            except (OSError, HTTPException, AssertionError):
                return
            if not told["success"]:
                return
            self.acknowledged.append((told["group_id"], told["intra_id"]))

    def wait_for(self, count: int) -> None:
        until = time.monotonic() + 60
        while len(self.acknowledged) < count and time.monotonic() < until:
            time.sleep(0.002)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def test_a_kill_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged = list[tuple[str, int]]()
    for number in range(30):
        server = Served(tmp_path / "root", tmp_path / "out")
        _open(server)
        if number == 0:
            server.call("add", database_name="a")
        writers = _Writers(server, number)
        # A different moment each time.
        writers.wait_for(3 + 2 * number)
        server.kill()
        writers.join()
        acknowledged += writers.acknowledged
        assert writers.acknowledged
    server = Served(tmp_path / "root", tmp_path / "out")
    _open(server)
    images = tmp_path / "root" / "default" / "a" / "images"
    for group, intra in acknowledged:
        (record,) = server.call("db_get", database_name="a", group_id=group, intra_id=intra)[
            "result"
        ]
        assert (images / record["savename"]).is_file()
    assert server.stop() == 0


def test_a_stop_under_load_answers_what_it_took_and_keeps_it(tmp_path: Path) -> None:
    server = Served(tmp_path / "root", tmp_path / "out")
    _open(server)
    server.call("add", database_name="a")
    writers = _Writers(server, 0)
    writers.wait_for(20)
    assert server.stop() == 0
    writers.join()
    again = Served(tmp_path / "root", tmp_path / "out")
    _open(again)
    count = again.call("get")["db_dict"]["a"]["count"]
    # Whatever was begun was either answered, or refused and not written.
    assert count == len(writers.acknowledged)
    assert again.stop() == 0


def test_ten_thousand_tiny_requests_at_once(server: Served) -> None:
    server.ask("/v1/databases/a", None)

    def ask(number: int) -> int:
        try:
            status, answer = server.ask(
                "/v1/databases" if number % 2 else "/api/predict/none",
                b"{}" if number % 2 == 0 else None,
            )
        except (ConnectionError, TimeoutError):
            return 0
        assert isinstance(answer, dict)
        return status

    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(ask, range(10_000)))
    assert set(statuses) <= {200, 404, 503}
    assert statuses.count(200) + statuses.count(404) > 9_000
    assert server.ask("/healthz")[0] == 200


def _raw(server: Served) -> socket.socket:
    parts = urlsplit(server.address)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), 30)


def _rest(opened: socket.socket) -> bytes:
    data = b""
    while block := opened.recv(65_536):
        data += block
    return data


def test_slow_clients_are_let_go(server: Served) -> None:
    with _raw(server) as silent, _raw(server) as headless, _raw(server) as slow:
        headless.sendall(b"GET /v1 HTTP/1.1\r\nHost: x\r\n")
        slow.sendall(
            b"POST /v1/features HTTP/1.1\r\nHost: x\r\nAuthorization: t0ken-of-the-test\r\n"
            b"Content-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc"
        )
        assert _rest(silent) == b""
        assert _rest(headless) == b""
        answer = _rest(slow)
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["kind"] == "timed_out"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /v1 HTTP/9.9\r\n\r\n",
        b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_and_closed(server: Served, sent: bytes) -> None:
    with _raw(server) as opened:
        opened.sendall(sent)
        assert _rest(opened).startswith(b"HTTP/1.1 4")
    assert server.ask("/healthz")[0] == 200


def test_an_upload_that_breaks_off_writes_nothing(server: Served) -> None:
    _open(server)
    server.call("add", database_name="a")
    for _ in range(20):
        with _raw(server) as opened:
            opened.sendall(
                b"POST /v1/databases/a/images?group_id=g HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: t0ken-of-the-test\r\nContent-Type: image/png\r\n"
                b"Content-Length: 100000\r\n\r\n" + drawn(1)
            )
    assert server.call("get")["db_dict"]["a"]["count"] == 0
    assert server.ask("/healthz")[0] == 200


def test_the_openapi_holds_under_schemathesis(server: Served, tmp_path: Path) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.address}/openapi.json",
        "-H", "Authorization: t0ken-of-the-test", "--max-examples", "15",
        "--checks", "not_a_server_error,content_type_conformance,response_schema_conformance",
        "--suppress-health-check", "all", "--generation-deterministic",
    ]  # fmt: skip
    # It writes its cache where it runs.
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, (
        schemathesis.__version__,
        done.stdout[-6000:],
        done.stderr[-2000:],
    )
