"""A server on this machine that does everything that file servers do wrong, when it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALL = "stall"
ENDLESS = "endless"


@dataclass
class Served:
    """One file, and what happens when it is asked for.

    `faults` are used up one a request: a status is answered, a number of bytes cuts the body there
    while the whole length is announced, STALL sends nothing more after the headers.
    """

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    checks_if_range: bool = True
    faults: list[object] = field(default_factory=list)
    redirect: str | None = None
    lasting: object = None  # a fault that is never used up
    shift: int = 0  # answers a range from so many bytes after what was asked


class FileServer(ThreadingHTTPServer):
    """`files` maps paths to what is served; `asked` has (path, Range, If-Range) of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what is tested."""

    def ranges_asked(self) -> list[str | None]:
        return [wanted for _, wanted, _ in self.asked]


@contextmanager
def serving() -> Iterator[FileServer]:
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        self.server.asked.append((self.path, wanted, condition))
        self.close_connection = True
        served = self.server.files.get(self.path)
        if served is None:
            self._answer(404, b"nothing here")
            return
        if served.redirect is not None:
            self._answer(302, b"", {"Location": served.redirect})
            return
        fault = served.faults.pop(0) if served.faults else served.lasting
        if isinstance(fault, int) and fault in (206, 416, 429, 500, 503):
            self._answer(fault, b"no")
        elif fault == ENDLESS:
            self._endless()
        else:
            self._file(served, fault, wanted, condition)

    def _file(
        self, served: Served, fault: object, wanted: str | None, condition: str | None
    ) -> None:
        code, body, headers = 200, served.content, dict(served.headers)
        known = {served.headers.get("ETag"), served.headers.get("Last-Modified")}
        applies = condition in known or not served.checks_if_range
        if wanted is not None and served.ranges and applies:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self._answer(416, b"")
                return
            start += served.shift
            code, total = 206, len(body)
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
            body = body[start:]
        length = len(body)
        if fault == STALL:
            body = b""
        elif isinstance(fault, int):
            body = body[:fault]
        self._answer(code, body, headers, length)
        if fault == STALL:
            self.server.released.wait(10)

    def _answer(
        self,
        code: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _endless(self) -> None:
        """Announces no length and never ends."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.server.released.is_set():
            self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass
