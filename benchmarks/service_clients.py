"""Clients of the service: threads that search with one picture after the other.

    python -m benchmarks.service_clients ADDRESS TOKEN

A process of its own, whose processor time is told: it takes from the cores that the server has.
It waits for orders, one JSON object a line, and answers each with one:

    {"list": file, "clients": 4}
    {"seconds": wall time, "searches": how many, "cpu": seconds, "latencies": seconds of each}
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATH = "/v1/databases/pictures/search?k=10"


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
    connection = HTTPConnection(str(parts.hostname), parts.port)
    headers = {"Authorization": token, "Content-Type": "image/jpeg"}
    for picture in waiting:
        started = time.perf_counter()
        connection.request("POST", PATH, picture, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or b"neighbours" not in body:
            raise SystemExit(f"{answer.status}: {body[:500]!r}")
        latencies.append(time.perf_counter() - started)
    connection.close()


if __name__ == "__main__":
    raise SystemExit(main())
