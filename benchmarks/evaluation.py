"""Evaluating retrieval at scale: 50,000 queries against 50,000 vectors of 512, and a million.

    python -m benchmarks.run evaluation

The peer is PaddleClas's evaluation: blocks of 64 queries, and for each metric a full argsort of
their similarities. It is linear in the queries, so it runs on 640 and is scaled. Ours computes all
that `evaluate` reports (CMC, MAP@R, mINP, intervals, the histogram of scores, numbers by class) and
gets a fifth of the queries a repeat, each repeat the next ones, scaled by five. A run over all of
them, which measures memory too, is a table of its own.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks import evaluation_work as work
from benchmarks.evaluation_work import Problem, Run
from benchmarks.measure import (
    Comparison,
    Details,
    Options,
    Table,
    all_in_turn,
    better,
    others,
    seconds,
)
from toolkit.runtime import cores_allowed

AREA = "evaluation"
REQUIRED = 12.0
DEFAULTS = "defaults"
MEMORY_LIMIT_MIB = 1024
CLASSES = (1000, 21)
_PEER = "as PaddleClas does, with Paddle"


@dataclass(frozen=True)
class Plan:
    """Sizes.

    Attributes:
        size: queries and gallery vectors of the comparison.
        part: queries that ours gets in a repeat.
        sample: queries of the peer, and of the comparison with brute force.
        whole: problems that are run once, for their time and memory.
    """

    size: int
    part: int
    sample: int
    whole: list[Problem]

    @classmethod
    def of(cls, options: Options) -> "Plan":
        """Chooses the sizes."""
        if options.quick:
            return cls(50_000, 2_000, 128, [Problem(4_000, 50_000, 1000)])
        sizes = [(50_000, 50_000, 1000), (1_000, 1_000_000, 1000)]
        return cls(50_000, 10_000, 640, [Problem(*size) for size in sizes])


def measure(options: Options) -> list[Comparison]:
    """Times both sides in turn."""
    plan = Plan.of(options)
    cores = cores_allowed()
    with ExitStack() as stack:
        ours = stack.enter_context(_process({}))
        peers = {
            DEFAULTS: stack.enter_context(_process({})),
            f"{cores} threads": stack.enter_context(
                _process({name: str(cores) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")})
            ),
        }
        return [_row(plan, classes, options.repeats, ours, peers) for classes in CLASSES]


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Runs the whole problems, and says how much of the time the matrix product takes."""
    del comparisons
    plan = Plan.of(options)
    rows = []
    for problem in plan.whole:
        with _process({}) as process:
            run: Run = process.submit(work.evaluate_ours, problem, 0, problem.queries).result()
        within = "yes" if run.beyond_mib <= MEMORY_LIMIT_MIB else "NO"
        vectors = (problem.queries + problem.gallery) * work.DIMENSION * 4 / 2**20
        rows.append([
            f"{problem.queries:,} queries, {problem.gallery:,} vectors", f"{run.seconds:.1f}",
            f"{vectors:,.0f}", f"{run.beyond_mib:,.0f}", within,
        ])  # fmt: skip
    return Details(
        parameters={
            "vectors": f"unit vectors of {work.DIMENSION}: normal noise + {work.CLOSENESS} x the "
            "direction of the class, seed 0"
        },
        tables=[
            Table(
                f"Whole evaluations, {CLASSES[0]:,} classes; memory in MiB",
                ["what", "seconds", "vectors", "beyond them", f"within {MEMORY_LIMIT_MIB}"],
                rows,
            ),
            _product_table(plan),
        ],
    )


def _row(
    plan: Plan,
    classes: int,
    repeats: int,
    ours: ProcessPoolExecutor,
    peers: dict[str, ProcessPoolExecutor],
) -> Comparison:
    problem = Problem(plan.size, plan.size, classes)
    starts = iter(range(0, repeats * plan.part, plan.part))

    def run_ours() -> float:
        start = next(starts) % (plan.size - plan.part + 1)
        run = ours.submit(work.evaluate_ours, problem, start, start + plan.part).result()
        return float(run.seconds * plan.size / plan.part)

    def run_peer(process: ProcessPoolExecutor) -> Callable[[], float]:
        def run() -> float:
            taken = process.submit(work.evaluate_like_paddleclas, problem, plan.sample).result()
            return float(taken.seconds * plan.size / plan.sample)

        return run

    for process in (ours, *peers.values()):  # what is only done once is not measured
        process.submit(work.made, problem).exception()
    sides = {"ours": run_ours, **{name: run_peer(process) for name, process in peers.items()}}
    figures = all_in_turn(sides, repeats)
    setting, peer = better({name: figures[name] for name in peers}, higher_is_better=False)
    in_numpy: Run = ours.submit(work.evaluate_by_argsort_in_numpy, problem, plan.sample).result()
    return Comparison(
        AREA, f"{plan.size:,} queries x {plan.size:,} vectors of {work.DIMENSION}, "
        f"{classes:,} classes", "s", figures["ours"], peer, f"{_PEER}, {setting}",
        higher_is_better=False, required=REQUIRED,
        parity=_parity(problem, plan.sample, ours, peers[setting]),
        note=f"Ours: {plan.part:,} queries a repeat; peer: {plan.sample}; both scaled. "
        + others({name: figures[name] for name in peers}, setting, "s")
        + f" The peer's steps with numpy's argsort instead: "
        f"{in_numpy.seconds * plan.size / plan.sample:.0f} s, measured once.",
    )  # fmt: skip


def _parity(
    problem: Problem, sample: int, ours: ProcessPoolExecutor, peer: ProcessPoolExecutor
) -> str:
    mine = ours.submit(work.evaluate_ours, problem, 0, sample).result().metrics
    theirs = peer.submit(work.evaluate_like_paddleclas, problem, work.BLOCK).result().metrics
    mine_of_those = ours.submit(work.evaluate_ours, problem, 0, work.BLOCK).result().metrics
    truth = ours.submit(work.brute_force, problem, sample).result()
    values = ", ".join(f"{name} {value:.6f}" for name, value in mine.items())
    return (
        f"{values}; largest difference from brute force in float64, {sample} queries: "
        f"{_largest_difference(mine, truth):.1g}; from the peer's float32, {work.BLOCK} queries: "
        f"{_largest_difference(mine_of_those, theirs):.1g}"
    )


def _largest_difference(left: dict[str, float], right: dict[str, float]) -> float:
    return max(abs(value - right[name]) for name, value in left.items())


def _product_table(plan: Plan) -> Table:
    """Measures the float64 product that exact scores need: the floor of every evaluation."""
    rng = np.random.default_rng(0)
    left, right = rng.random((1024, work.DIMENSION)), rng.random((4096, work.DIMENSION))
    result = np.empty((1024, 4096))
    taken = float(
        np.median([seconds(lambda: np.matmul(left, right.T, out=result)) for _ in range(25)])
    )
    rate = 2 * result.size * work.DIMENSION / taken
    floor = 2 * plan.size**2 * work.DIMENSION / rate
    return Table(
        f"The matrix product of {plan.size:,} x {plan.size:,} scores alone",
        ["numpy, float64", "GFLOP/s", "seconds"],
        [["blocks of 1024 x 4096", f"{rate / 1e9:.0f}", f"{floor:.1f}"]],
    )


@contextmanager
def _process(variables: dict[str, str]) -> Iterator[ProcessPoolExecutor]:
    """Opens a process of its own, with environment variables that libraries read at their start."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
            executor.submit(os.getpid).result()
            os.environ.clear()
            os.environ.update(before)
            yield executor
    finally:
        os.environ.clear()
        os.environ.update(before)
