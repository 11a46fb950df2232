"""int8 beside fp32, and scaled decoding beside exact: what each costs in recall and gains in speed.

The network is PP-ShiTuV2_rec as configs/general_recognition/grocery_PP-ShiTuV2_rec.yaml trains it
on grocery; where output/ has no such checkpoint it is trained first, by the command in that file
(not with --quick, which then takes random weights and says so). Recall is measured through the
whole pipeline on all queries; its change has a 95% interval from a bootstrap of the queries in
pairs. The pictures of grocery have a short side of 256 pixels, which no decoder has to shrink:
scaled decoding is judged on copies enlarged four times.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import versions_of
from benchmarks.measure import Comparison, Details, Options, in_turn
from benchmarks.precision_work import (
    BATCH,
    CALIBRATION_PICTURES,
    ENLARGED,
    QUALITY,
    Decode,
    Work,
    prepare,
)
from toolkit.data.decode import read_rgb
from toolkit.evaluation.recall_change import RecallChange, recall_change
from toolkit.inference.engines.engine import Engine
from toolkit.runtime import cores_allowed

AREA = "precision"
ENGINES = ("openvino", "onnxruntime")
# Points below zero that the lower end of the interval may reach.
ALLOWED_INT8, ALLOWED_DECODE = 0.5, 0.3
SECONDS_A_TURN = 1.0
DECODED_A_TURN = 160


def measure(options: Options) -> list[Comparison]:
    """Measures every row."""
    work = prepare(options)
    print(f"weights: {work.weights}", flush=True)
    rows = [row for name in ENGINES for row in _int8(work, name, options.repeats)]
    return [*rows, _decoding(work, options.repeats)]


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Returns versions, and how the pictures were made."""
    del options, comparisons
    return Details(
        versions=versions_of(Path(sys.executable), ["openvino", "onnxruntime", "paddle2onnx"]),
        parameters={
            "calibration": f"{CALIBRATION_PICTURES} pictures of train.txt, spread over its classes",
            "enlarged pictures": f"{ENLARGED} times as wide and high, bicubic, JPEG quality "
            f"{QUALITY}; smoother than photographs of that size, and easier to shrink",
        },
    )


def _int8(work: Work, name: str, repeats: int) -> Iterator[Comparison]:
    """Measures the network alone, on pictures that are ready in memory, and recall."""
    fp32, int8 = work.engine(name, "fp32"), work.engine(name, "int8")
    change = recall_change(work.evaluate(fp32), work.evaluate(int8), np.random.default_rng(0))
    side = _side(work)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), dtype=np.uint8)
    for batch_size in (BATCH, 1):
        batch = images[:batch_size]
        ours, peer = in_turn(
            partial(_images_per_second, int8, batch),
            partial(_images_per_second, fp32, batch),
            repeats,
        )
        yield Comparison(
            AREA,
            f"int8, the network alone, {name}, batch {batch_size}",
            "images/s",
            ours,
            peer,
            f"fp32, {name}",
            parity=_told(change, ALLOWED_INT8),
            note=f"Weights: {work.weights}.",
        )


def _decoding(work: Work, repeats: int) -> Comparison:
    """Measures scaled decoding on enlarged pictures; recall in fp32."""
    engine = work.engine("auto", "fp32")
    exact = work.evaluate(engine, "exact", enlarged=True)
    fast = work.evaluate(engine, "fast", enlarged=True)
    query, _ = work.enlarged()
    paths = [query.resolve(sample) for sample in query.samples[:DECODED_A_TURN]]
    ours, peer = in_turn(
        partial(_decoded_per_second, work, paths, "fast"),
        partial(_decoded_per_second, work, paths, "exact"),
        repeats,
    )
    return Comparison(
        AREA,
        f"decode fast, reading, decoding and resizing alone, pictures enlarged {ENLARGED} times",
        "images/s",
        ours,
        peer,
        "decode exact",
        parity=_told(recall_change(exact, fast, np.random.default_rng(0)), ALLOWED_DECODE),
        note=f"Weights: {work.weights}.",
    )


def _told(change: RecallChange, allowed: float) -> str:
    """Says in words how recall changed, and whether that is within what is allowed."""
    low = 100 * change.recall1.low
    verdict = "within" if low >= -allowed else "beyond, for this sample or this change is too large"
    return (
        f"recall@1 {change.before['recall1']:.4f} -> {change.after['recall1']:.4f}, recall@5 "
        f"{change.before['recall5']:.4f} -> {change.after['recall5']:.4f}, mAP "
        f"{change.before['mAP']:.4f} -> {change.after['mAP']:.4f}; {change.summary()}; the lower "
        f"end may be {allowed:g} points below zero: {verdict}"
    )


def _side(work: Work) -> int:
    height, width, _ = work.config.pipeline.geometry()(
        np.zeros((8, 8, 3), np.uint8), np.random.default_rng(0)
    ).shape
    return int(max(height, width))


def _images_per_second(engine: Engine, images: NDArray[np.uint8]) -> float:
    """Runs one batch again and again."""
    engine.run(images)
    return _rate(lambda: engine.run(images), len(images))


def _rate(work: Callable[[], object], images: int) -> float:
    started, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < SECONDS_A_TURN:
        work()
        done += images
    return done / passed


def _decoded_per_second(work: Work, paths: Sequence[Path], decode: Decode) -> float:
    """Prepares pictures on all cores, without a network."""
    steps = work.config.pipeline.geometry()
    target = work.config.pipeline.target() if decode == "fast" else None

    def prepare_one(path: Path) -> None:
        steps(read_rgb(path, target=target), np.random.default_rng(0))

    started = time.perf_counter()
    with ThreadPoolExecutor(cores_allowed()) as pool:
        list(pool.map(prepare_one, paths))
    return len(paths) / (time.perf_counter() - started)
