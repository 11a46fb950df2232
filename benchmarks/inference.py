"""Pictures to features with PP-ShiTuV2_rec beside PaddleX: throughput, cold start and memory.

Both sides open the same exported weights in processes of their own and get the same lists of
files. PaddleX runs with its defaults (10 threads) and with threads set to the cores; every row
quotes the better of the two. Processes stay alive between their turns and have seen every batch
size once before they are measured; the cold start has a row of its own.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.conformance import paddlex
from benchmarks.conformance.environments import REPOSITORY
from benchmarks.inference_work import BATCH, DEFAULTS, Plan, Work, prepare
from benchmarks.machine import versions_of
from benchmarks.measure import (
    Comparison,
    Details,
    Options,
    all_in_turn,
    better,
    in_turn,
    others,
)
from benchmarks.models import NAME
from benchmarks.pictures import Mosaics, SmallPictures
from benchmarks.stages import StageCosts, rate_table, stage_table
from benchmarks.worker_process import Side, Worker, seconds_to_first_feature
from toolkit.cards.catalog import model_card

AREA = "inference"
# Targets by batch size and precision: required, wanted.
TARGETS = {
    (BATCH, "fp32"): (1.3, 1.45),
    (1, "fp32"): (1.8, 2.0),
    (BATCH, "int8"): (1.9, 2.2),
    (1, "int8"): (2.7, 3.0),
}
LARGE_TARGETS = (2.9, 3.3)
COLD_START_TARGETS = (6.0, 10.0)


def measure(options: Options) -> list[Comparison]:
    """Measures every row."""
    work = prepare(options)
    print(f"model: {NAME}, {work.weights}", flush=True)
    with ExitStack() as stack:

        def start(name: str, side: Side) -> Worker:
            worker = stack.enter_context(closing(Worker(side, work.logs / f"{name}.log")))
            for batch_size in (1, BATCH):
                worker.images_per_second(work.lists["warm-up"], batch_size)
            return worker

        ours = {"fp32": start("fp32", work.ours), "int8": start("int8", work.ours_int8)}
        peers = {setting: start(setting, side) for setting, side in work.peers.items()}
        rows = [*_small(work, ours, peers, BATCH), *_small(work, ours, peers, 1)]
        exact = start("exact", replace(work.ours, exact=True))
        rows += _large(work, {"fast": ours["fp32"], "exact": exact}, peers)
    return [*rows, _cold_start(work), _memory(work, rows[0].peer_name)]


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Returns versions, how the pictures were made, and what each stage costs."""
    plan = Plan.of(options)
    models, lists = options.workspace / "models", options.workspace / "lists"
    small, small_int8, large = (
        _stages(models / precision, lists / f"{name}.txt")
        for precision, name in (("fp32", "small"), ("int8", "small"), ("fp32", "mosaics 0"))
    )
    fp32, int8, _, _, large_row, *_ = [statistics.median(row.ours) for row in comparisons]
    return Details(
        versions=versions_of(paddlex.environment(), ["paddlex", "paddlepaddle", "numpy"]),
        parameters={
            "348 px pictures": str(asdict(SmallPictures(plan.held))),
            "12-megapixel pictures": str(asdict(Mosaics(plan.mosaics))),
        },
        tables=[
            stage_table(f"Stages, 348 px, fp32, batch {BATCH}", small, fp32),
            stage_table(f"Stages, 348 px, int8, batch {BATCH}", small_int8, int8),
            stage_table(f"Stages, 12 megapixels, fp32, batch {BATCH}", large, large_row),
            rate_table(small, model_card(NAME).multiply_adds, fp32),
        ],
    )


def _stages(model: Path, listing: Path) -> StageCosts:
    """Measures the stages in a process of their own, whose engine is the only one."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.stages", str(model), str(listing)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return StageCosts(**json.loads(done.stdout))


def _small(
    work: Work, ours: Mapping[str, Worker], peers: Mapping[str, Worker], batch_size: int
) -> list[Comparison]:
    """Measures fp32 and int8 with one batch size; the peer's figures serve both rows."""
    listing = work.lists["small"]
    figures = all_in_turn(
        {
            name: partial(worker.images_per_second, listing, batch_size)
            for name, worker in {**ours, **peers}.items()
        },
        work.repeats,
    )
    theirs = _any(peers).features(listing, batch_size)
    return [
        _row(
            f"{work.plan.small} JPEGs of 348 px, batch {batch_size}, {precision}",
            figures[precision],
            {setting: figures[setting] for setting in peers},
            cosines(worker.features(listing, batch_size), theirs),
            TARGETS[batch_size, precision],
        )
        for precision, worker in ours.items()
    ]


def _large(work: Work, ours: Mapping[str, Worker], peers: Mapping[str, Worker]) -> list[Comparison]:
    """Measures both ways of decoding; the peer, which decodes every pixel, serves both rows."""
    lists = work.mosaic_lists

    def next_lists(worker: Worker) -> Callable[[], float]:
        waiting = iter(lists * work.repeats)
        return lambda: worker.images_per_second(next(waiting), BATCH)

    sides = {**ours, **peers}
    figures = all_in_turn({name: next_lists(side) for name, side in sides.items()}, work.repeats)
    theirs = _any(peers).features(lists[0], BATCH)
    return [
        _row(
            f"{work.plan.mosaics} JPEGs of 12 megapixels, batch {BATCH}, fp32, decode {decode}",
            figures[decode],
            {setting: figures[setting] for setting in peers},
            cosines(worker.features(lists[0], BATCH), theirs),
            # The target is that of the default.
            LARGE_TARGETS if decode == "fast" else (None, None),
            f"{work.plan.mosaics_a_turn} a repeat, each repeat the next ones.",
        )
        for decode, worker in ours.items()
    ]


def _cold_start(work: Work) -> Comparison:
    log = work.logs / "first.log"
    ours, peer = in_turn(
        partial(seconds_to_first_feature, work.ours, work.picture, log),
        partial(seconds_to_first_feature, work.peers[DEFAULTS], work.picture, log),
        work.repeats,
    )
    return Comparison(
        AREA, "new process: import, create_model, first feature", "s", ours, peer,
        _peer_name(DEFAULTS), higher_is_better=False,
        required=COLD_START_TARGETS[0], wanted=COLD_START_TARGETS[1],
        parity="the feature is that of the rows above",
        note="From the start of the interpreter. PaddleX's search for its download hosts is "
        "switched off.",
    )  # fmt: skip


def _memory(work: Work, peer_name: str) -> Comparison:
    """Peak memory of a process that gets the long list, once a side: it hardly varies."""
    setting = peer_name.rpartition(", ")[2]
    peaks = {}
    for name, side in (("ours", work.ours), ("peer", work.peers[setting])):
        with closing(Worker(side, work.logs / f"memory {name}.log")) as worker:
            worker.images_per_second(work.lists["held"], BATCH)
            peaks[name] = worker.peak_mib
    return Comparison(
        AREA, f"peak memory of a process, {work.plan.held} files, batch {BATCH}", "MiB",
        [peaks["ours"]], [peaks["peer"]], peer_name, higher_is_better=False,
        required=1.0,
        parity="the same files",
        note="Resident, libraries included; one run a side.",
    )  # fmt: skip


def _row(
    name: str,
    ours: list[float],
    peers: Mapping[str, list[float]],
    parity: NDArray[np.float64],
    targets: tuple[float | None, float | None],
    note: str = "",
) -> Comparison:
    setting, peer = better(peers, higher_is_better=True)
    return Comparison(
        AREA, name, "images/s", ours, peer, _peer_name(setting),
        required=targets[0], wanted=targets[1],
        parity=f"cosine with the peer's features of {len(parity)} files: lowest "
        f"{parity.min():.7f}, median {statistics.median(parity):.7f}",
        note=" ".join(filter(None, [note, others(peers, setting, "images/s")])),
    )  # fmt: skip


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the cosine of each row [d] of one matrix with the same row of another: [n]."""
    ours, theirs = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    result: NDArray[np.float64] = (ours * theirs).sum(axis=1) / lengths
    return result


def _any(peers: Mapping[str, Worker]) -> Worker:
    # The peer's threads change its speed, not its features.
    return next(iter(peers.values()))


def _peer_name(setting: str) -> str:
    return f"paddlex {paddlex.PADDLEX}, {setting}"
