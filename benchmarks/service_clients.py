"""Clients of a server: threads that search with one picture after the other.

    python -m benchmarks.service_clients TOKEN

A process of its own, whose processor time is told: it takes from the cores that the server has, so
requests are bytes that were put together before, and of an answer only what is needed is read. It
waits for orders, one JSON object a line, and answers each with one:

    {"address": of the server, "list": file, "clients": 4, "index": null}
    {"seconds": wall time, "searches": how many, "cpu": seconds, "latencies": seconds of each}

Without an index our own route is asked, with the bytes of a picture; with one, PaddleX's route.
"""

import base64
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_PATH = "/v1/databases/pictures/search?k=10"
_INFER, _JSON = "/shitu-infer", "application/json"
_FOUND = (b"neighbours", b"recResults")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def main() -> int:
    """Obeys until the orders end."""
    (token,) = sys.argv[1:]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        names = Path(order["list"]).read_text(encoding="utf-8").splitlines()
        parts = urlsplit(order["address"])
        bodies = [_body(Path(name).read_bytes(), order["index"]) for name in names]
        path, kind = (_PATH, "image/jpeg") if order["index"] is None else (_INFER, _JSON)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {token}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: "
        ).encode()
        requests = [b"%s%d\r\n\r\n%s" % (head, len(body), body) for body in bodies]
        server = (str(parts.hostname), int(parts.port or 80))
        print(json.dumps(_searched(server, requests, order["clients"])), flush=True)
    return 0


def _body(picture: bytes, index: str | None) -> bytes:
    if index is None:
        return picture
    asked = {
        "image": base64.b64encode(picture).decode(), "indexKey": index, "topk": 10,
        "detThreshold": 0.5, "recThreshold": 0.0, "visualize": False,
    }  # fmt: skip
    return json.dumps(asked).encode()


def _searched(server: tuple[str, int], requests: list[bytes], clients: int) -> dict[str, Any]:
    waiting, latencies = iter(requests), list[float]()
    before, started = time.process_time(), time.perf_counter()
    threads = [
        threading.Thread(target=_client, args=(server, waiting, latencies)) for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    if len(latencies) != len(requests):
        raise SystemExit(f"{len(requests) - len(latencies)} searches failed")
    return {
        "seconds": taken,
        "searches": len(latencies),
        "cpu": time.process_time() - before,
        "latencies": latencies,
    }


def _client(server: tuple[str, int], waiting: Iterator[bytes], latencies: list[float]) -> None:
    with socket.create_connection(server) as connection:
        for request in waiting:
            started = time.perf_counter()
            connection.sendall(request)
            answer = _answer(connection)
            if not (answer.startswith(b"HTTP/1.1 200 ") and any(word in answer for word in _FOUND)):
                raise SystemExit(repr(answer[:500]))
            latencies.append(time.perf_counter() - started)


def _answer(connection: socket.socket) -> bytes:
    answer = b""
    while (at := answer.find(b"\r\n\r\n")) < 0:
        answer += _more(connection)
    length = int(_LENGTH.findall(answer[:at])[0])
    while len(answer) < at + len(b"\r\n\r\n") + length:
        answer += _more(connection)
    return answer


def _more(connection: socket.socket) -> bytes:
    block = connection.recv(65_536)
    if not block:
        raise SystemExit("The server closed the connection.")
    return block


if __name__ == "__main__":
    raise SystemExit(main())
