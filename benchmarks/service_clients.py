"""Clients of the service: threads that search with one picture after the other.

    python -m benchmarks.service_clients ADDRESS TOKEN

A process of its own, whose processor time is told: it takes from the cores that the server has, so
requests are bytes that were put together before, and of an answer only what is needed is read.
It waits for orders, one JSON object a line, and answers each with one:

    {"list": file, "clients": 4}
    {"seconds": wall time, "searches": how many, "cpu": seconds, "latencies": seconds of each}
"""

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

PATH = "/v1/databases/pictures/search?k=10"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def main() -> int:
    """Obeys until the orders end."""
    address, token = sys.argv[1:]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        names = Path(order["list"]).read_text(encoding="utf-8").splitlines()
        pictures = [Path(name).read_bytes() for name in names]
        print(json.dumps(_searched(address, token, pictures, order["clients"])), flush=True)
    return 0


def _searched(address: str, token: str, pictures: list[bytes], clients: int) -> dict[str, Any]:
    waiting, latencies = iter(pictures), list[float]()
    before, started = time.process_time(), time.perf_counter()
    threads = [
        threading.Thread(target=_client, args=(address, token, waiting, latencies))
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    if len(latencies) != len(pictures):
        raise SystemExit(f"{len(pictures) - len(latencies)} searches failed")
    return {
        "seconds": taken,
        "searches": len(latencies),
        "cpu": time.process_time() - before,
        "latencies": latencies,
    }


def _client(address: str, token: str, waiting: Iterator[bytes], latencies: list[float]) -> None:
    parts = urlsplit(address)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {token}\r\n"
        "Content-Type: image/jpeg\r\nContent-Length: "
    ).encode()
    with socket.create_connection((str(parts.hostname), int(parts.port or 80))) as connection:
        for picture in waiting:
            started = time.perf_counter()
            connection.sendall(b"%s%d\r\n\r\n%s" % (head, len(picture), picture))
            answer = _answer(connection)
            if not answer.startswith(b"HTTP/1.1 200 ") or b"neighbours" not in answer:
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
