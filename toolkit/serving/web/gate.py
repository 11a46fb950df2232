"""The gate before all routes: who comes in, how much, and a line in the log for each.

An ASGI application around the routes. The body is read here, in bounded time and memory, so no
route ever waits for a client.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from toolkit.serving.limits import Buffers, Limits, Rates
from toolkit.serving.metrics import Metrics
from toolkit.serving.problems import Kind, Problem, problem_of
from toolkit.serving.tokens import Client, Tokens
from toolkit.serving.web.answers import problem_answer

_LOG = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_EVERYBODY = Client("everybody", "write")
_PROBES = {"/healthz", "/livez", "/readyz", "/health"}
_PROTECTED = ("/api/", "/v1", "/shitu-", "/metrics")
_DISCARD_SECONDS = 2.0
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class Gate:
    """Lets requests in.

    Args:
        app: the routes.
        tokens: who may come in; None for everybody.
        limits: how much is taken on.
        metrics: told of every answer.
        open_paths: paths that need no token although they are below a protected one.
    """

    def __init__(
        self,
        app: App,
        tokens: Tokens | None,
        limits: Limits,
        metrics: Metrics,
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        self._app, self._tokens, self._limits = app, tokens, limits
        self._metrics, self._open_paths = metrics, open_paths
        self._rates, self.buffers = Rates(limits.rate), Buffers(limits)
        self.is_stopping = False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send)
        try:
            await self._let_in(visit, receive)
        except Exception as error:
            if not isinstance(error, Problem):
                _LOG.exception("A request failed.", extra={"request": visit.request})
            problem = problem_of(error)
            if visit.body_left and problem.kind is not Kind.TIMED_OUT:
                await _discard(receive, self._limits.max_body_bytes)
            if not visit.status:
                answer = problem_answer(problem, visit.path, visit.request)
                if visit.body_left:  # the rest of the body is no next request
                    answer.headers["Connection"] = "close"
                await answer(scope, receive, visit.send)
        finally:
            self._tell(visit)

    async def _let_in(self, visit: "_Visit", receive: Receive) -> None:
        if visit.path in _PROBES:
            visit.body_left = False
            await self._app(visit.scope, receive, visit.send)
            return
        if self.is_stopping:
            raise Problem(Kind.BUSY, "The service is stopping.", retry_after=5)
        visit.client = self._client(visit)
        self.buffers.enter()
        try:
            if visit.client is not None:
                self._rates.check(visit.client.name)
            body = await self._body(visit, receive)
            if not visit.is_gone:
                visit.scope["state"]["client"] = visit.client or _EVERYBODY
                await self._app(visit.scope, _replay(body, receive), visit.send)
        finally:
            self.buffers.leave(visit.held)

    async def _body(self, visit: "_Visit", receive: Receive) -> bytes:
        """Reads the body.

        Raises:
            Problem: it is too long, or comes too slowly.
        """
        seconds = self._limits.read_timeout
        try:
            return await asyncio.wait_for(self._read(visit, receive), seconds)
        except asyncio.TimeoutError:
            told = f"The body did not come within {seconds:g} s (Serve.read_timeout)."
            raise Problem(Kind.TIMED_OUT, told) from None

    async def _read(self, visit: "_Visit", receive: Receive) -> bytes:
        body = bytearray()
        while visit.body_left:
            message = await receive()
            visit.body_left = message.get("more_body", False)
            visit.is_gone = message["type"] == "http.disconnect"
            block = message.get("body", b"")
            self.buffers.take(len(block), visit.held)
            visit.held += len(block)
            body += block
        return bytes(body)

    def _client(self, visit: "_Visit") -> Client | None:
        """Returns who has come.

        Raises:
            Problem: nobody whom we know.
        """
        is_protected = visit.path.startswith(_PROTECTED) and visit.path not in self._open_paths
        if self._tokens is None or not is_protected:
            return None
        client = self._tokens.client(visit.header(b"authorization"))
        if client is None:
            raise Problem(
                Kind.UNAUTHORISED,
                "The token is missing or wrong. Send the header Authorization: Bearer <token>.",
            )
        return client

    def _tell(self, visit: "_Visit") -> None:
        seconds = time.monotonic() - visit.started
        route = getattr(visit.scope.get("route"), "path", "other")
        function = visit.scope["state"].get("function", "")
        self._metrics.answered(route, function, visit.status, seconds)
        if visit.path in _PROBES:
            return
        _LOG.info(
            "request",
            extra={
                "request": visit.request,
                "client": visit.client.name if visit.client else None,
                "method": visit.scope["method"],
                "route": route,
                "function": function or None,
                "status": visit.status,
                "milliseconds": round(1000 * seconds, 1),
            },
        )


class _Visit:
    """One request on its way."""

    def __init__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        self.scope, self._send = scope, send
        self.path: str = scope["path"]
        self.request, self.started = secrets.token_hex(16), time.monotonic()
        self.status, self.held = 0, 0
        self.body_left, self.is_gone = True, False
        self.client: Client | None = None
        scope.setdefault("state", {})["request"] = self.request

    def header(self, name: bytes) -> str | None:
        """Returns a header; None when it is missing or sent twice."""
        found = [value for key, value in self.scope["headers"] if key == name]
        return found[0].decode("latin-1") if len(found) == 1 else None

    async def send(self, message: Message) -> None:
        """Sends on, with our headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(b"x-request-id", self.request.encode()), *_HEADERS]
            message["headers"] = [*message.get("headers", []), *own]
        await self._send(message)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns what gives the body in one piece, and then whatever else comes."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return pending.pop() if pending else await receive()

    return next_message


async def _discard(receive: Receive, most: int) -> None:
    """Reads what a refused client still sends: one that is writing does not look for an answer."""
    try:
        left = most
        while left > 0:
            message = await asyncio.wait_for(receive(), _DISCARD_SECONDS)
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return
    except asyncio.TimeoutError:
        return
