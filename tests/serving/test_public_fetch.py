"""A server on this machine; its address is told apart from public ones by the check alone."""

import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toolkit.errors import FetchError
from toolkit.serving.public_fetch import PublicFetch, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
        "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, _, rest = self.path.lstrip("/").partition("/")
        if kind == "to":
            self.send_response(302)
            self.send_header("Location", rest)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif kind == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            while not self.server.over.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b".")
        elif kind == "short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"cut")
            self.close_connection = True
        else:
            body = b"x" * int(kind)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        return  # a client that was cut off


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = _Quiet(("127.0.0.1", 0), _Handler)
    server.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def _fetch(seconds: float = 5.0) -> PublicFetch:
    here = ipaddress.ip_address("127.0.0.1")
    # Names of the form a-b-c-d are addresses; that of the server stands for a public one.
    return PublicFetch(
        seconds,
        1000,
        resolve=lambda host, _: [host.removesuffix(".test").replace("-", ".")],
        is_allowed=lambda address: address == here,
    )


def test_a_picture_comes_also_through_redirects(port: int) -> None:
    base = f"http://127-0-0-1.test:{port}"
    assert _fetch()(f"{base}/7") == b"x" * 7
    assert _fetch()(f"{base}/to//to/{base}/9") == b"x" * 9


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("1001", "more than 1,000 bytes"),
        ("short", "cannot be fetched|cut off"),
        ("to/file:///etc/passwd", "not an http"),
        ("to/http://10-0-0-1.test/", "not public"),
        ("to/http://169.254.169.254/", "not public"),
        ("to/" * 20 + "5", "redirects|not public|answered"),
    ],
)
def test_what_is_not_fetched(port: int, path: str, told: str) -> None:
    with pytest.raises(FetchError, match=told):
        _fetch()(f"http://127-0-0-1.test:{port}/{path}")


@pytest.mark.parametrize(
    "url",
    ["http://user:pw@127-0-0-1.test/", "ftp://127-0-0-1.test/", "http://[::1", "http:///x", "x"],
)
def test_addresses_of_other_kinds(url: str) -> None:
    with pytest.raises(FetchError):
        _fetch()(url)


def test_a_server_that_trickles_is_cut_off(port: int) -> None:
    with pytest.raises(FetchError, match=r"0\.3 s"):
        _fetch(0.3)(f"http://127-0-0-1.test:{port}/slow")


def test_the_name_is_resolved_once_and_the_checked_address_is_connected_to(port: int) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    fetch = PublicFetch(
        5.0,
        1000,
        resolve=lambda *_: next(answers),
        is_allowed=lambda address: str(address) == "127.0.0.1",
    )
    assert fetch(f"http://rebinding.test:{port}/3") == b"xxx"
    with pytest.raises(FetchError, match="not public"):
        fetch(f"http://rebinding.test:{port}/3")


def test_one_private_address_among_public_ones_is_enough(port: int) -> None:
    fetch = PublicFetch(
        5.0,
        1000,
        resolve=lambda *_: ["127.0.0.1", "10.0.0.1"],
        is_allowed=lambda address: str(address) == "127.0.0.1",
    )
    with pytest.raises(FetchError, match="not public"):
        fetch(f"http://mixed.test:{port}/3")
