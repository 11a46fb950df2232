"""How much a service takes on; whatever is beyond is refused, with a word on when to come again."""

import time
from dataclasses import dataclass
from threading import Lock

from toolkit.serving.problems import Kind, Problem


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Attributes:
        max_requests: that are read or wait.
        max_body_bytes: of one request.
        max_buffered_bytes: of all requests together.
        read_timeout: seconds in which a client must have sent its headers, and its body.
        timeout: seconds until a request is answered 408.
        rate: requests a second of one client; None for any number.
        workers: requests that are worked on at a time.
        max_connections: open connections.
        stop_timeout: seconds that requests under way have when the service stops.
    """

    max_requests: int = 1024
    max_body_bytes: int = 20_000_000
    max_buffered_bytes: int = 500_000_000
    read_timeout: float = 20.0
    timeout: float = 30.0
    rate: float | None = None
    workers: int = 64
    max_connections: int = 4096
    stop_timeout: float = 30.0


class Rates:
    """A bucket of tokens for each client: a second's worth may come at once.

    Args:
        rate: requests a second; None for any number.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate, self._lock = rate, Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def check(self, client: str) -> None:
        """Takes a token.

        Raises:
            Problem: there is none; it says when there will be.
        """
        if self._rate is None:
            return
        now, most = time.monotonic(), max(1.0, self._rate)
        with self._lock:
            left, since = self._buckets.get(client, (most, now))
            left = min(most, left + (now - since) * self._rate)
            self._buckets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if left < 1:
            seconds = max(1, round((1 - left) / self._rate + 0.5))
            raise Problem(
                Kind.TOO_MANY_REQUESTS,
                f"This token has {self._rate:g} requests a second; try again in {seconds} s.",
                retry_after=seconds,
            )


class Buffers:
    """Counts what requests hold, so that all of them together stay in memory.

    Args:
        limits: how much that may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests = self.bytes = 0

    def enter(self) -> None:
        """Begins a request.

        Raises:
            Problem: there are too many.
        """
        if self.requests >= self._limits.max_requests:
            raise Problem(
                Kind.BUSY,
                f"{self._limits.max_requests} requests are under way; try again.",
                retry_after=1,
            )
        self.requests += 1

    def leave(self, num_bytes: int) -> None:
        """Ends a request and gives back what it held."""
        self.requests -= 1
        self.bytes -= num_bytes

    def take(self, num_bytes: int, held: int) -> None:
        """Takes room for bytes that have come.

        Args:
            num_bytes: that have come.
            held: that this request holds already.

        Raises:
            Problem: the request is too long, or all of them together.
        """
        if held + num_bytes > self._limits.max_body_bytes:
            raise Problem(
                Kind.TOO_LARGE,
                f"The body is longer than {self._limits.max_body_bytes:,} bytes "
                "(Serve.max_body_bytes). Scale the picture down.",
            )
        if self.bytes + num_bytes > self._limits.max_buffered_bytes:
            raise Problem(
                Kind.BUSY, "Requests under way hold too much memory; try again.", retry_after=1
            )
        self.bytes += num_bytes
