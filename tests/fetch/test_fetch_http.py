"""Addresses fetched into memory: limits, redirects, and a network that is not there."""

import pytest
from file_server import ENDLESS, FileServer, Served

from toolkit.errors import FetchError
from toolkit.fetch import http

CONTENT = bytes(range(256)) * 4000


def test_what_is_served_is_returned_and_a_busy_server_asked_again(server: FileServer) -> None:
    server.files["/file"] = Served(CONTENT, faults=[503, 1000])
    assert http.fetch_bytes(f"{server.url}/file") == CONTENT
    assert len(server.asked) == 3


def test_redirects_are_followed_a_few_times_and_only_to_http(server: FileServer) -> None:
    server.files["/file"] = Served(CONTENT)
    server.files["/to"] = Served(b"", redirect=f"{server.url}/file")
    assert http.fetch_bytes(f"{server.url}/to") == CONTENT
    server.files["/loop"] = Served(b"", redirect="/loop")
    server.asked.clear()
    with pytest.raises(FetchError, match="cannot be fetched"):
        http.fetch_bytes(f"{server.url}/loop")
    assert len(server.asked) <= 6
    for address in ("file:///etc/hostname", "ftp://127.0.0.1/x"):
        server.files["/to"].redirect = address
        with pytest.raises(FetchError, match=r"not allowed|not an http"):
            http.fetch_bytes(f"{server.url}/to")


@pytest.mark.parametrize("fault", [None, ENDLESS])
def test_too_much_is_refused_whether_announced_or_not(server: FileServer, fault: object) -> None:
    server.files["/file"] = Served(CONTENT, lasting=fault)
    with pytest.raises(FetchError, match="more than 100,000 bytes"):
        http.fetch_bytes(f"{server.url}/file", max_bytes=100_000)
    assert len(server.asked) == 1


def test_exactly_the_limit_is_allowed(server: FileServer) -> None:
    server.files["/file"] = Served(CONTENT)
    assert len(http.fetch_bytes(f"{server.url}/file", max_bytes=len(CONTENT))) == len(CONTENT)


def test_a_server_that_is_not_there_is_found_out_at_once(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_PAUSES", (60.0, 60.0))
    with pytest.raises(FetchError, match=r"refused \(1 try in"):
        http.fetch_bytes("http://127.0.0.1:1/file")


def test_tries_that_bring_something_do_not_count(server: FileServer) -> None:
    """Ten failures on end are lived with while each leaves more; three that do not are the end."""
    kept = list(range(1, 11))
    attempts: list[int] = []

    def attempt() -> None:
        attempts.append(kept.pop(0) if kept else 10)
        raise http.IncompleteError("cut")

    with pytest.raises(FetchError, match=r"\(12 tries"):
        http.with_tries(server.url, attempt, timeout=1, ways_out="", reached=lambda: attempts[-1])
