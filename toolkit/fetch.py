"""Files from http(s) addresses: whole or not at all, and an error that names the ways out.

A machine without a network learns so at once: only what may pass by itself (a busy server, a stall,
a connection that breaks) is tried again.
"""

import http.client
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from toolkit.errors import FetchError
from toolkit.storage import atomic_path

_LOG = logging.getLogger(__name__)
_SCHEMES = ("http", "https")
_BLOCK = 1 << 18
_PAUSES = (0.5, 1.5)
"""Seconds before the second and the third try."""

Progress = Callable[[int, int | None], None]
"""Called with (bytes so far, bytes in all or None)."""

_Result = TypeVar("_Result")


def cache_folder() -> Path:
    """Returns where downloads are kept; ``TOOLKIT_CACHE_HOME`` moves it."""
    own = os.environ.get("TOOLKIT_CACHE_HOME")
    return Path(own) if own else Path.home() / ".cache" / "image-retrieval-toolkit"


def download(
    url: str, target: Path, *, timeout: float = 10.0, progress: Progress | None = None
) -> Path:
    """Downloads a file; it appears under its name only when it is complete.

    Args:
        url: an http(s) address.
        target: where it goes; the folders above are created.
        timeout: seconds to wait for a connection, and for each block.
        progress: told after every block; starts again from 0 when the download does.

    Returns:
        `target`.

    Raises:
        FetchError: it cannot be had; the message says what was tried and the ways out.
    """
    ways_out = (
        "Ways out: give the path of a local copy in place of the address; set the value to null "
        f"where that is allowed; or place the file at {str(target)!r} by hand."
    )

    def save(response: http.client.HTTPResponse) -> Path:
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            for block in _blocks(response, progress):
                file.write(block)
        return target

    _LOG.info("Downloading %s", url)
    return _with_tries(url, save, timeout, ways_out)


def fetch_bytes(url: str, *, timeout: float = 10.0, max_bytes: int = 100_000_000) -> bytes:
    """Fetches what an address serves into memory.

    Args:
        url: an http(s) address.
        timeout: seconds to wait for a connection, and for each block.
        max_bytes: larger answers are refused, by their stated length or while they arrive.

    Raises:
        FetchError: it cannot be had, or it is too large.
    """

    def collect(response: http.client.HTTPResponse) -> bytes:
        data = bytearray()
        if (response.length or 0) <= max_bytes:
            for block in _blocks(response, None):
                data += block
                if len(data) > max_bytes:
                    break
            else:
                return bytes(data)
        raise FetchError(
            f"{url} serves more than {max_bytes:,} bytes, which is the limit. Save it to a file "
            "and give the file's path."
        )

    ways_out = "Ways out: check the address, or save the file and give its path."
    return _with_tries(url, collect, timeout, ways_out)


class _IncompleteError(Exception):
    """The answer ended before its stated length."""


class _Redirects(HTTPRedirectHandler):
    """Follows at most 5 redirects, and only to http(s): a server must not choose file:// or ftp."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Returns the next request; the limits on their number are the parent's."""
        _check_scheme(newurl, f" ({req.full_url} leads there)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_Redirects)


def _with_tries(
    url: str,
    read: Callable[[http.client.HTTPResponse], _Result],
    timeout: float,
    ways_out: str,
) -> _Result:
    _check_scheme(url)
    started = time.monotonic()
    tries = 0
    while True:
        tries += 1
        try:
            with _OPENER.open(url, timeout=timeout) as response:
                return read(response)
        except (OSError, http.client.HTTPException, _IncompleteError, ValueError) as error:
            reason = _reason(error, timeout)
            if tries > len(_PAUSES) or not _may_pass(error):
                seconds = time.monotonic() - started
                told = f"{tries} {'try' if tries == 1 else 'tries'} in {seconds:.1f} s"
                message = f"{url} cannot be fetched: {reason} ({told}). {ways_out}"
                raise FetchError(message) from error
        _LOG.warning("%s: %s; trying again.", url, reason)
        time.sleep(_PAUSES[tries - 1])


def _blocks(response: http.client.HTTPResponse, progress: Progress | None) -> Iterator[bytes]:
    """Yields what arrives, and checks at the end that it is all that was announced."""
    total, done = response.length, 0
    while block := response.read(_BLOCK):
        done += len(block)
        yield block
        if progress is not None:
            progress(done, total)
    if total is not None and done < total:
        raise _IncompleteError(f"the answer ended after {done:,} of {total:,} bytes")


def _check_scheme(url: str, origin: str = "") -> None:
    try:
        known = urlsplit(url).scheme.lower() in _SCHEMES
    except ValueError:  # a bracket that is not an IPv6 address
        known = False
    if not known:
        raise FetchError(f"{url!r} is not an http:// or https:// address{origin}.")


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HTTPError):
        return error.code >= 500 or error.code == 429
    passing = (TimeoutError, ConnectionError, http.client.IncompleteRead, _IncompleteError)
    return isinstance(error, passing)


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, HTTPError):
        error.close()
        return " ".join(f"the server answered {error.code} {error.reason}".split())
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, socket.gaierror):
        return "the name of the server cannot be resolved (is there a network?)"
    if isinstance(cause, TimeoutError):
        return f"nothing came for {timeout:g} s"
    text = getattr(cause, "strerror", None) or str(cause)
    return text or type(cause).__name__
