"""Asking a server: which faults may pass, how often they are tried again, and what is told of them.

A machine without a network learns so at once: only what may pass by itself (a busy server, a
stall, a connection that breaks) is tried again.
"""

import http.client
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import IO, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from toolkit.errors import FetchError
from toolkit.fetch.options import split_address

_LOG = logging.getLogger(__name__)
_BLOCK = 1 << 18
_PAUSES = (0.5, 1.5)
"""Seconds before the second and the third try."""

_Result = TypeVar("_Result")


class IncompleteError(Exception):
    """What arrived is not what was announced: too short, or with another checksum."""


class TooSlowError(OSError):
    """The answer is not complete by its deadline; another try would not be either."""


def open_address(
    url: str, timeout: float, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """Sends a GET; the answer is to be closed by the caller.

    Raises:
        OSError, http.client.HTTPException: whatever went wrong; `with_tries` knows what to do.
    """
    response: http.client.HTTPResponse = _OPENER.open(
        Request(url, headers=headers or {}),  # noqa: S310 - the scheme is checked by the callers
        timeout=timeout,
    )
    return response


def read_blocks(response: http.client.HTTPResponse, until: float | None = None) -> Iterator[bytes]:
    """Yields what arrives, and checks at the end that it is all that was announced.

    Args:
        response: the answer.
        until: when to give up, by `time.monotonic`; a server may send a byte now and then for ever.

    Raises:
        IncompleteError: the answer was cut off.
        TooSlowError: it is not all there by then.
    """
    total, done = response.length, 0
    # With a limit, what is there is looked at as it comes, not when a block is full.
    read = response.read if until is None else response.read1
    while block := read(_BLOCK):
        if until is not None and time.monotonic() > until:
            raise TooSlowError(f"only {done + len(block):,} bytes came before the deadline")
        done += len(block)
        yield block
    if total is not None and done < total:
        raise IncompleteError(f"the answer ended after {done:,} of {total:,} bytes")


def with_tries(
    url: str,
    attempt: Callable[[], _Result],
    *,
    timeout: float,
    ways_out: str,
    reached: Callable[[], int] = lambda: 0,
) -> _Result:
    """Runs an attempt until it succeeds, fails for good, or failed three times on end.

    Args:
        url: what is asked for, for the messages.
        attempt: one try.
        timeout: what the attempt waits for a block, in seconds, for the messages.
        ways_out: what a person can do, as sentences.
        reached: how many bytes are kept. A try that brought new ones starts the count anew: a
            large file over a bad line comes in many pieces.

    Raises:
        FetchError: it cannot be had; the message says what was tried and the ways out.
    """
    split_address(url)
    started = time.monotonic()
    tries = failures = most = 0
    while True:
        tries += 1
        try:
            return attempt()
        except (OSError, http.client.HTTPException, IncompleteError, ValueError) as error:
            reason = _reason(error, timeout)
            failures = 1 if reached() > most else failures + 1
            most = max(most, reached())
            if failures > len(_PAUSES) or not _may_pass(error):
                seconds = time.monotonic() - started
                told = f"{tries} {'try' if tries == 1 else 'tries'} in {seconds:.1f} s"
                reason = f"{url} cannot be fetched: {reason} ({told})."
                raise FetchError(reason, ways_out) from error
        _LOG.warning("%s: %s; trying again.", url, reason)
        time.sleep(_PAUSES[failures - 1])


def fetch_bytes(
    url: str,
    *,
    timeout: float = 10.0,
    max_bytes: int = 100_000_000,
    deadline: float | None = None,
) -> bytes:
    """Fetches what an address serves into memory.

    Args:
        url: an http(s) address.
        timeout: seconds to wait for a connection, and for each block.
        max_bytes: larger answers are refused, by their stated length or while they arrive.
        deadline: seconds after which a try is given up although something still comes; None waits.

    Raises:
        FetchError: it cannot be had, or it is too large.
    """

    def collect() -> bytes:
        data = bytearray()
        until = None if deadline is None else time.monotonic() + deadline
        with open_address(url, timeout) as response:
            if (response.length or 0) <= max_bytes:
                for block in read_blocks(response, until):
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
    return with_tries(url, collect, timeout=timeout, ways_out=ways_out)


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
        split_address(newurl, f" ({req.full_url} leads there)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_Redirects)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HTTPError):
        return error.code >= 500 or error.code == 429
    passing = (TimeoutError, ConnectionError, http.client.IncompleteRead, IncompleteError)
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
