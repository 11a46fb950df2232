"""What each stage from a file to a feature costs, measured alone, and the ceiling that follows.

    python -m benchmarks.stages MODEL_DIR LIST_FILE

Prints one JSON object. Reading, decoding and resizing are measured in one thread, in milliseconds a
picture; the network in pictures a second, as one stream that uses all cores and as one stream a
core. Stages that overlap perfectly share the cores, so the ceiling in pictures a second is
1 / (their seconds in one thread / cores + the network's seconds with all cores).
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import matrix_product_rates
from benchmarks.measure import Table
from toolkit.runtime import cores_allowed

BATCH = 16
# Each network is run for so long.
_SECONDS = 1.0


@dataclass(frozen=True)
class StageCosts:
    """Costs of the stages on one list of pictures.

    Attributes:
        read_ms: a picture, from a warm page cache.
        decode_ms: a picture, as predict does it by default.
        resize_ms: a picture, to what the engine takes.
        one_stream: pictures a second of the network alone, all cores in one stream, batch of 16.
        one_by_one: the same, batch of 1.
        all_streams: the same, one stream a core, batch of 16.
        engine: name of the class that ran it.
        cores: that were used.
        matrix_gflops: float32 matrix products of this machine in GFLOP/s, by library.
    """

    read_ms: float
    decode_ms: float
    resize_ms: float
    one_stream: float
    one_by_one: float
    all_streams: float
    engine: str
    cores: int
    matrix_gflops: dict[str, float]

    @property
    def ceiling(self) -> float:
        """Pictures a second when nothing ever waits."""
        alone = (self.read_ms + self.decode_ms + self.resize_ms) / 1000 / self.cores
        return 1 / (alone + 1 / max(self.one_stream, self.all_streams))


def measure_stages(model: Path, paths: Sequence[Path]) -> StageCosts:
    """Measures every stage on the same pictures."""
    from toolkit.data.decode import decode
    from toolkit.inference.engines.engine import open_engine
    from toolkit.inference.preprocess import read_inference_config
    from toolkit.runtime import Device

    config = read_inference_config(model)
    cores = cores_allowed()
    engine = open_engine("auto", model, Device("cpu"), cores, config.precision)
    steps = config.pipeline.geometry() if engine.takes == "pixels" else config.pipeline
    target = config.pipeline.target()
    rng = np.random.default_rng(0)
    files, read = _timed(lambda path: path.read_bytes(), paths)
    decoded, decoding = _timed(lambda data: decode(data, target=target).pixels, files)
    images, resizing = _timed(lambda pixels: steps(pixels, rng), decoded)
    batch = np.stack((images * BATCH)[:BATCH])
    return StageCosts(
        read_ms=read,
        decode_ms=decoding,
        resize_ms=resizing,
        one_stream=_rate([engine.run], batch),
        one_by_one=_rate([engine.run], batch[:1]),
        all_streams=_rate(engine.streams(), batch),
        engine=type(engine).__name__,
        cores=cores,
        matrix_gflops=matrix_product_rates(),
    )


def _timed(stage: Callable[[Any], Any], inputs: Sequence[Any]) -> tuple[list[Any], float]:
    """Returns the outputs of a stage, and milliseconds an input."""
    stage(inputs[0])  # imports and first allocations are no cost of a picture
    started = time.perf_counter()
    outputs = [stage(item) for item in inputs]
    return outputs, 1000 * (time.perf_counter() - started) / len(inputs)


def _rate(
    streams: Sequence[Callable[[NDArray[Any]], NDArray[np.float32]]], batch: NDArray[Any]
) -> float:
    """Returns pictures a second of streams that each repeat one batch."""

    def work(stream: Callable[[NDArray[Any]], NDArray[np.float32]], until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            stream(batch)
            done += len(batch)
        return done

    with ThreadPoolExecutor(len(streams)) as pool:
        list(pool.map(lambda stream: stream(batch), streams))
        started = time.perf_counter()
        done = sum(pool.map(lambda stream: work(stream, started + _SECONDS), streams))
        return done / (time.perf_counter() - started)


def stage_table(title: str, costs: StageCosts, reached: float) -> Table:
    """Returns the costs as a table.

    Args:
        title: which pictures and weights.
        costs: measured on them.
        reached: pictures a second of predict in the same run.
    """
    alone = {"read": costs.read_ms, "decode": costs.decode_ms, "resize": costs.resize_ms}
    rows = [[f"{name}, one thread", f"{cost:.3f} ms"] for name, cost in alone.items()]
    rows += [
        [f"{costs.engine} alone, {what}", f"{1000 / rate:.3f} ms = {rate:.1f} images/s"]
        for what, rate in (
            (f"batch {BATCH}, one stream of {costs.cores} threads", costs.one_stream),
            (f"batch 1, one stream of {costs.cores} threads", costs.one_by_one),
            (f"batch {BATCH}, {costs.cores} streams of one thread", costs.all_streams),
        )
    ]
    share = f"{reached:.1f} images/s = {reached / costs.ceiling:.0%}"
    rows += [["ceiling that follows", f"{costs.ceiling:.1f} images/s"], ["reached of it", share]]
    return Table(title, ["stage", "cost a picture"], rows)


def rate_table(costs: StageCosts, multiply_adds: int, reached: float) -> Table:
    """Returns the share of the machine's matrix products that the network reaches.

    Args:
        costs: measured in this run.
        multiply_adds: of the network for one picture.
        reached: pictures a second of predict in the same run.
    """
    gflop = 2 * multiply_adds / 1e9
    alone = max(costs.one_stream, costs.all_streams)
    return Table(
        f"Float32 matrix products of side 2048, all cores; the network needs {gflop:.2f} GFLOP "
        "an image",
        ["library", "GFLOP/s", "network alone", "whole predict"],
        [
            [name, f"{rate:.0f}", f"{gflop * alone / rate:.0%}", f"{gflop * reached / rate:.0%}"]
            for name, rate in costs.matrix_gflops.items()
        ],
    )


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("listing", type=Path)
    arguments = parser.parse_args()
    paths = [Path(line) for line in arguments.listing.read_text(encoding="utf-8").splitlines()]
    print(json.dumps(asdict(measure_stages(arguments.model, paths))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
