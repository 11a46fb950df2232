"""What Prometheus is told: requests, latency, queue, batches, databases, processor, memory, GPU."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from toolkit.serving.databases import Folders

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_GPU_QUERY = "--query-gpu=index,utilization.gpu,memory.used,memory.total"
_GPU_SECONDS = 5.0


class Metrics:
    """The numbers of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        own: dict[str, Any] = {"registry": self._registry}
        labels = ["route", "function"]
        self._requests = Counter(
            "toolkit_requests", "Requests answered.", [*labels, "status"], **own
        )
        self._seconds = Histogram(
            "toolkit_request_seconds", "From header to answer.", labels, buckets=_SECONDS, **own
        )
        self._batches = Histogram(
            "toolkit_batch_size", "Pictures a forward pass.", buckets=_SIZES, **own
        )
        self._under_way = Gauge("toolkit_requests_under_way", "Requests under way.", **own)
        self._buffered = Gauge("toolkit_buffered_bytes", "Bytes of requests under way.", **own)
        self._waiting = Gauge("toolkit_queue_depth", "Pictures waiting for the network.", **own)

    def answered(self, route: str, function: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        self._requests.labels(route, function, str(status)).inc()
        self._seconds.labels(route, function).observe(seconds)

    def batch(self, size: int) -> None:
        """Counts a forward pass."""
        self._batches.observe(size)

    def watch(
        self,
        folders: Folders,
        waiting: Callable[[], int],
        under_way: Callable[[], int],
        buffered: Callable[[], int],
    ) -> None:
        """Says where the numbers are that are looked up whenever somebody asks."""
        self._waiting.set_function(waiting)
        self._under_way.set_function(under_way)
        self._buffered.set_function(buffered)
        self._registry.register(_Databases(folders))
        if (program := shutil.which("nvidia-smi")) is not None:
            self._registry.register(_Gpus(program))

    def text(self) -> bytes:
        """Returns all numbers in Prometheus' text format."""
        return generate_latest(self._registry)


class _Databases:
    """Records of each database."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def collect(self) -> Iterator[GaugeMetricFamily]:
        records = GaugeMetricFamily(
            "toolkit_index_records", "Records of a database.", labels=["folder", "database"]
        )
        damaged = GaugeMetricFamily("toolkit_databases_damaged", "Databases that cannot be opened.")
        num_damaged = 0
        for databases in self._folders.all():
            folder = databases.folder.relative_to(self._folders.root).as_posix()
            num_damaged += len(databases.damaged())
            for name, database in databases.opened().items():
                records.add_metric([folder, name], database.facts.count)
        damaged.add_metric([], num_damaged)
        yield records
        yield damaged


class _Gpus:
    """Use and memory of NVIDIA's GPUs, looked up every few seconds at most."""

    def __init__(self, program: str) -> None:
        self._program, self._asked = program, 0.0
        self._rows: list[list[str]] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if time.monotonic() - self._asked > _GPU_SECONDS:
            self._asked, self._rows = time.monotonic(), self._look()
        names = ("toolkit_gpu_utilisation_percent", "toolkit_gpu_memory_used_mebibytes")
        helps = ("Share of time that kernels ran.", "Memory in use.")
        for column, (name, text) in enumerate(zip(names, helps, strict=True), start=1):
            family = GaugeMetricFamily(name, text, labels=["gpu"])
            for row in self._rows:
                family.add_metric([row[0]], float(row[column]))
            yield family

    def _look(self) -> list[list[str]]:
        command = [self._program, _GPU_QUERY, "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                command, capture_output=True, text=True, timeout=2, check=True
            )
            rows = [line.split(", ") for line in done.stdout.splitlines()]
            return [row for row in rows if all(part.isdigit() for part in row)]
        except (OSError, subprocess.SubprocessError):
            return []
