"""Pictures from addresses that clients give: public ones only, and nothing behind our own walls.

A name is resolved once, every address that it has must be public, and the connection goes to the
address that was checked. So does each redirect. Whoever owns a name could otherwise let it lead to
this machine, or to one beside it, between the check and the use.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from urllib.parse import SplitResult, urljoin

from toolkit.errors import FetchError
from toolkit.fetch.options import split_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_BLOCK = 1 << 16
# These carry an IPv4 address inside, which would have to be looked at in their place.
_CARRIERS = [
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]


def is_public(address: Address) -> bool:
    """Tells whether an address belongs to the public internet."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_public(mapped)
    if isinstance(address, ipaddress.IPv6Address) and any(address in net for net in _CARRIERS):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


class PublicFetch:
    """Fetches pictures.

    Args:
        seconds: that one picture may take altogether, redirects included.
        max_bytes: larger ones are refused.
        resolve: name and port -> addresses.
        is_allowed: which addresses may be connected to.
    """

    def __init__(
        self,
        seconds: float,
        max_bytes: int,
        *,
        resolve: Callable[[str, int], list[str]] = _resolve,
        is_allowed: Callable[[Address], bool] = is_public,
    ) -> None:
        self._seconds, self._max_bytes = seconds, max_bytes
        self._resolve, self._is_allowed = resolve, is_allowed

    def __call__(self, url: str) -> bytes:
        """Returns what an address serves.

        Raises:
            FetchError: it cannot be had, is too large, or leads where nobody may go.
        """
        until = time.monotonic() + self._seconds
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                done = self._get(url, until)
                if isinstance(done, bytes):
                    return done
                url = urljoin(url, done)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, TimeoutError) or time.monotonic() > until:
                raise FetchError(
                    f"The URL did not give a picture in {self._seconds:g} s."
                ) from error
            raise FetchError(f"The URL cannot be fetched ({type(error).__name__}).") from error
        raise FetchError(f"The URL leads through more than {_MOST_REDIRECTS} redirects.")

    def _get(self, url: str, until: float) -> bytes | str:
        """Asks once: what is served, or where it leads."""
        parts = split_address(url)
        if parts.username is not None or parts.password is not None:
            raise FetchError("A URL may not hold a name or a password.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with self._connected(parts, until) as connection:
            connection.request("GET", path, headers={"Accept-Encoding": "identity"})
            response = connection.getresponse()
            if response.status in _REDIRECTS and (place := response.getheader("Location")):
                return place
            if response.status != http.client.OK:
                raise FetchError(f"The URL's server answered {response.status}.")
            return self._body(response)

    @contextmanager
    def _connected(self, parts: SplitResult, until: float) -> Iterator[http.client.HTTPConnection]:
        """Connects to the address that was checked, until the time is up."""
        is_https, host = parts.scheme.lower() == "https", parts.hostname or ""
        port = parts.port or (443 if is_https else 80)
        remaining = until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        opened = socket.create_connection((self._checked(host, port), port), remaining)
        # A server that sends a byte now and then would never run into a timeout of the socket.
        timer = Timer(remaining, lambda: _cut(opened))
        timer.start()
        try:
            if is_https:
                opened = ssl.create_default_context().wrap_socket(
                    opened, server_hostname=host, do_handshake_on_connect=False
                )
                opened.do_handshake()
            connection = http.client.HTTPConnection(host, port)
            connection.sock = opened
            yield connection
        finally:
            timer.cancel()
            opened.close()

    def _checked(self, host: str, port: int) -> str:
        found = self._resolve(host, port)
        for text in found:
            # fe80::1%eth0 names an interface of this machine.
            if not self._is_allowed(ipaddress.ip_address(text.partition("%")[0])):
                raise FetchError("The URL leads to an address that is not public.")
        if not found:
            raise FetchError("The URL's server has no address.")
        return found[0]

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        expected, body = response.length, bytearray()
        while block := response.read1(_BLOCK):
            body += block
            if len(body) > self._max_bytes or (expected or 0) > self._max_bytes:
                raise FetchError(f"The URL serves more than {self._max_bytes:,} bytes.")
        if expected is not None and len(body) < expected:
            raise http.client.IncompleteRead(bytes(body), expected - len(body))
        return bytes(body)


def _cut(opened: socket.socket) -> None:
    try:
        # That of a plain socket: the one of TLS would wait for the other side.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return
