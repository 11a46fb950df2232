"""What a process of the evaluation benchmark does: makes its vectors, and evaluates them.

Every process makes the same vectors from the same seeds. They are unit vectors around one
direction a class; how close decides how good the numbers are, and hardly how long they take.
"""

import functools
import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peak_memory import forget_peak, peak_mib

DIMENSION = 512
CLOSENESS = 0.4
# Queries that PaddleClas compares at once (Global.sim_block_size).
BLOCK = 64
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Problem:
    """Sizes of an evaluation.

    Attributes:
        queries: how many there are.
        gallery: how many vectors they are compared with.
        classes: of both, drawn at random.
    """

    queries: int
    gallery: int
    classes: int


@dataclass(frozen=True)
class Side:
    """Vectors float32 [n, 512] of length 1, and their classes [n]."""

    vectors: NDArray[np.float32]
    classes: NDArray[np.int64]

    def part(self, start: int, stop: int) -> "Side":
        """Returns rows `start` to `stop` - 1."""
        return Side(self.vectors[start:stop], self.classes[start:stop])


@dataclass(frozen=True)
class Run:
    """One evaluation.

    Attributes:
        seconds: on the wall.
        metrics: recall1, recall5 and mAP.
        beyond_mib: most memory held at once, less what was held before it began.
    """

    seconds: float
    metrics: dict[str, float]
    beyond_mib: float = 0.0


def evaluate_ours(problem: Problem, start: int, stop: int) -> Run:
    """Evaluates queries `start` to `stop` - 1 with everything that `evaluate` reports."""
    from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval

    query, gallery = made(problem)
    sides = [
        Embeddings(side.vectors, side.classes.astype(str).tolist(), [f"{name}{i}" for i in numbers])
        for name, side, numbers in (
            ("q", query.part(start, stop), range(start, stop)),
            ("g", gallery, range(problem.gallery)),
        )
    ]
    held = forget_peak()
    started = time.perf_counter()
    result = evaluate_retrieval(sides[0], sides[1], rng=np.random.default_rng(0))
    taken = time.perf_counter() - started
    metrics = {name: result.metrics[name] for name in ("recall1", "recall5", "mAP")}
    return Run(taken, metrics, peak_mib() - held)


def evaluate_like_paddleclas(problem: Problem, queries: int) -> Run:
    """Evaluates the first queries as PaddleClas does, with Paddle.

    Blocks of 64 queries; for each its similarities to the whole gallery, and for each metric a full
    argsort of them, the labels in that order, and sums along it. (The wheel of PaddleClas has no
    evaluation inside; this follows its sources: ppcls/engine/evaluation/retrieval.py and
    Recallk and mAP of ppcls/metric/metrics.py, at commit d178931f.)
    """
    paddle: Any = import_module("paddle")
    query, gallery = made(problem)
    vectors, classes = map(paddle.to_tensor, (query.vectors[:queries], query.classes[:queries]))
    everyone, labels = map(paddle.to_tensor, (gallery.vectors, gallery.classes))
    sums = {"recall1": 0.0, "recall5": 0.0, "mAP": 0.0}
    started = time.perf_counter()
    for first in range(0, queries, BLOCK):
        block = slice(first, min(first + BLOCK, queries))
        similarities = paddle.matmul(vectors[block], everyone, transpose_y=True)
        for metrics in (_recalls, _mean_average_precision):
            order = paddle.argsort(similarities, axis=1, descending=True)
            repeated = paddle.broadcast_to(labels, [order.shape[0], labels.shape[0]])
            in_order = paddle.index_sample(repeated, order)
            found = paddle.equal(in_order, classes[block].reshape([-1, 1]))
            for name, value in metrics(paddle, found.astype("float32")).items():
                sums[name] += value * order.shape[0]
    taken = time.perf_counter() - started
    return Run(taken, {name: value / queries for name, value in sums.items()})


def _recalls(paddle: Any, found: Any) -> dict[str, float]:
    seen = paddle.cumsum(found, axis=1) > 0
    matched = float((found.sum(axis=1) > 0).astype("float32").sum())
    curve = seen.astype("float32").sum(axis=0) / matched
    return {"recall1": float(curve[0]), "recall5": float(curve[4])}


def _mean_average_precision(paddle: Any, found: Any) -> dict[str, float]:
    rows = paddle.nonzero(found.sum(axis=1) > 0).reshape([-1])
    found = paddle.index_select(found, rows, axis=0)
    place = paddle.arange(1, found.shape[1] + 1).astype("float32")
    precision = found * (paddle.cumsum(found, axis=1) / place)
    return {"mAP": float((precision.sum(axis=1) / found.sum(axis=1)).mean())}


def evaluate_by_argsort_in_numpy(problem: Problem, queries: int) -> Run:
    """The same road as PaddleClas's with numpy's argsort, whose vectorised sort is much faster."""
    query, gallery = made(problem)
    sums = {"recall1": 0.0, "recall5": 0.0, "mAP": 0.0}
    started = time.perf_counter()
    for first in range(0, queries, BLOCK):
        block = query.part(first, min(first + BLOCK, queries))
        similarities = block.vectors @ gallery.vectors.T
        for recall in (True, False):
            order = np.argsort(-similarities, axis=1)
            found = gallery.classes[order] == block.classes[:, None]
            seen = np.cumsum(found, axis=1, dtype=np.float32)
            if recall:
                sums["recall1"] += float((seen[:, 0] > 0).sum())
                sums["recall5"] += float((seen[:, 4] > 0).sum())
            else:
                place = np.arange(1, found.shape[1] + 1, dtype=np.float32)
                sums["mAP"] += float(((found * seen / place).sum(axis=1) / seen[:, -1]).sum())
    taken = time.perf_counter() - started
    return Run(taken, {name: value / queries for name, value in sums.items()})


def brute_force(problem: Problem, queries: int) -> dict[str, float]:
    """Computes the metrics of the first queries from cosines in float64 and complete sorts."""
    query, gallery = made(problem)
    everyone = _unit(gallery.vectors)
    first_match, precisions = [], []
    for start in range(0, queries, BLOCK):
        block = query.part(start, min(start + BLOCK, queries))
        for cosines, label in zip(_unit(block.vectors) @ everyone.T, block.classes, strict=True):
            order = np.argsort(-cosines, kind="stable")
            ranks = np.flatnonzero(gallery.classes[order] == label) + 1
            if len(ranks):
                first_match.append(ranks[0])
                precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return {
        "recall1": float(np.mean(np.array(first_match) <= 1)),
        "recall5": float(np.mean(np.array(first_match) <= 5)),
        "mAP": float(np.mean(precisions)),
    }


@functools.lru_cache(maxsize=2)
def made(problem: Problem) -> tuple[Side, Side]:
    """Returns queries and gallery; kept, for each process is asked more than once."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((problem.classes, DIMENSION), np.float32)
    return _clustered(problem.queries, centres, rng), _clustered(problem.gallery, centres, rng)


def _clustered(count: int, centres: NDArray[np.float32], rng: np.random.Generator) -> Side:
    classes = rng.integers(0, len(centres), count)
    vectors = np.empty((count, DIMENSION), np.float32)
    for start in range(0, count, _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        rng.standard_normal(out=block, dtype=np.float32)
        block += np.float32(CLOSENESS) * centres[classes[start : start + len(block)]]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return Side(vectors, classes)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    return np.asarray(exact / np.linalg.norm(exact, axis=1, keepdims=True), dtype=np.float64)
