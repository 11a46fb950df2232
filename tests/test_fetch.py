"""Downloads against a server on this machine that does everything that servers do wrong."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolkit import fetch
from toolkit.errors import FetchError

CONTENT = bytes(range(256)) * 4000


class _Server(BaseHTTPRequestHandler):
    """Answers by path; what a path did before is in `server.calls`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.server.calls[path] = self.server.calls.get(path, 0) + 1
        first = self.server.calls[path] == 1
        answers = {
            "/file": lambda: self._send(200, CONTENT),
            "/cut": lambda: self._send(200, CONTENT[:1000], length=len(CONTENT)),
            "/broken": lambda: self._send(500, b"no"),
            "/stall": self._stall,
            "/chunked": self._send_endless,
            "/to": lambda: self._send(302, b"", Location=query),
            "/loop": lambda: self._send(302, b"", Location=f"/loop?{self.server.calls[path]}"),
        }
        if path in ("/cut-once", "/broken-once"):
            path = path.removesuffix("-once") if first else "/file"
        answers.get(path, lambda: self._send(404, b"nothing here"))()

    def _stall(self) -> None:
        self.server.released.wait(10)
        self.close_connection = True

    def _send(self, code: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def _send_endless(self) -> None:
        """Announces no length and never ends."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while not self.server.released.is_set():
                self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(fetch, "_PAUSES", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is what is tested
    server.calls, server.released = {}, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_is_whole_and_tells_how_far_it_is(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    told = []
    target = tmp_path / "new folder" / "file.bin"
    returned = fetch.download(f"{server.url}/file", target, progress=lambda *a: told.append(a))
    assert returned == target
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert fetch.fetch_bytes(f"{server.url}/file") == CONTENT


@pytest.mark.parametrize("path", ["/cut-once", "/broken-once"])
def test_what_may_pass_is_tried_again(
    server: ThreadingHTTPServer, tmp_path: Path, path: str
) -> None:
    fetch.download(server.url + path, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.calls[path] == 2


@pytest.mark.parametrize(
    ("path", "reason", "tries"),
    [
        ("/cut", "ended after 1,000 of 1,024,000 bytes", 3),
        ("/broken", "500 Internal Server Error", 3),
        ("/missing", "404 Not Found", 1),
        ("/stall", "nothing came for 0.05 s", 3),
    ],
)
def test_a_failed_download_leaves_the_old_file_and_says_what_to_do(
    server: ThreadingHTTPServer, tmp_path: Path, path: str, reason: str, tries: int
) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(FetchError) as caught:
        fetch.download(server.url + path, target, timeout=0.05 if path == "/stall" else 5)
    assert server.calls[path] == tries
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"
    message = str(caught.value)
    for part in (server.url + path, reason, "null", "local copy", str(target)):
        assert part in message


def test_redirects_are_followed_a_few_times_and_only_to_http(server: ThreadingHTTPServer) -> None:
    assert fetch.fetch_bytes(f"{server.url}/to?{server.url}/file") == CONTENT
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch.fetch_bytes(f"{server.url}/loop")
    assert server.calls["/loop"] <= 6
    for address in ("file:///etc/hostname", "ftp://127.0.0.1/x"):
        with pytest.raises(FetchError, match=r"not allowed|not an http"):
            fetch.fetch_bytes(f"{server.url}/to?{address}")


@pytest.mark.parametrize("path", ["/file", "/chunked"])
def test_too_much_is_refused_whether_announced_or_not(
    server: ThreadingHTTPServer, path: str
) -> None:
    with pytest.raises(FetchError, match="more than 100,000 bytes"):
        fetch.fetch_bytes(server.url + path, max_bytes=100_000)
    assert server.calls[path] == 1


def test_exactly_the_limit_is_allowed(server: ThreadingHTTPServer) -> None:
    assert len(fetch.fetch_bytes(f"{server.url}/file", max_bytes=len(CONTENT))) == len(CONTENT)


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://x/y", "images/a.jpg", "", "http://["]
)
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        fetch.download(url, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_there_is_found_out_at_once(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_PAUSES", (60.0, 60.0))
    with pytest.raises(FetchError, match=r"refused \(1 try in"):
        fetch.fetch_bytes("http://127.0.0.1:1/file")
