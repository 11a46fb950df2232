"""uvicorn around the application: a socket, deadlines for slow clients, a stop that finishes."""

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from toolkit.errors import ConfigError
from toolkit.serving.limits import Limits
from toolkit.serving.web.app import Application

_LOG = logging.getLogger(__name__)
_BACKLOG = 2048
_MOST_HEAD_BYTES = 65_536


def _refusal(status: int, phrase: str, title: str, detail: str, header: str = "") -> bytes:
    body = json.dumps({"title": title, "status": status, "detail": detail})
    return (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/problem+json\r\n{header}"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


# Of those that no route, and not even the gate, comes to see.
_REFUSED = _refusal(
    503, "Service Unavailable", "Busy", "Too many connections; try again.", "Retry-After: 1\r\n"
)
_LONG_HEAD = _refusal(
    431, "Request Header Fields Too Large", "Headers too long",
    f"Address and headers are longer than {_MOST_HEAD_BYTES:,} bytes.",
)  # fmt: skip


class _Connection(HttpToolsProtocol):
    """A connection whose requests must begin in time and briefly; there are only so many."""

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._silence: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            transport.write(_REFUSED)
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        # The parser keeps a head of any length, and what may follow a body in chunks, too.
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_LONG_HEAD)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._silence is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head_bytes = 0
        self._head_is_there()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """Gives the client a while for the head of a request; the gate looks after its body."""
        self._silence = self.loop.call_later(self._limits.read_timeout, self.transport.close)

    def _head_is_there(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None


class _Server(uvicorn.Server):
    """A server that tells when it listens, and when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, on_start: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_start, self._on_stop = on_start, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets requests under way finish."""
        self._on_stop()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Opens the socket.

    Raises:
        ConfigError: the address is not ours, or taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's algorithm only where the protocol is named; with it the body of
    # an answer waits 40 ms for the client to confirm the head.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise ConfigError(
            f"Serve.host {host} and Serve.port {port} cannot be listened on: {error.strerror}. "
            "Choose another port; 0 takes a free one."
        ) from error
    return opened


def run_server(
    application: Application,
    opened: socket.socket,
    limits: Limits,
    on_start: Callable[[], None],
) -> None:
    """Answers until SIGTERM or SIGINT, and returns when all that was under way is answered.

    Args:
        application: what is served.
        opened: the socket.
        limits: how much is taken on.
        on_start: called when the first request would be answered.
    """
    config = uvicorn.Config(
        application.gate,
        http=partial(_Connection, limits),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=max(1, round(limits.read_timeout)),
        timeout_graceful_shutdown=round(limits.stop_timeout),
    )

    def stop() -> None:
        _LOG.info("Stopping: requests under way are answered first.")
        application.gate.is_stopping = True

    # uvicorn raises the signal again when it is done; by then it has been heeded.
    before = {number: signal.signal(number, _heeded) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _Server(config, on_start, stop).run(sockets=[opened])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        application.close()


def _heeded(number: int, _: object) -> None:
    _LOG.info("Stopped by %s.", signal.Signals(number).name)
