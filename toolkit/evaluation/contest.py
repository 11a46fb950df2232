"""Several models on the same lists: a row each, and whether the best one is really better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.evaluation.retrieval_result import RetrievalResult
from toolkit.metrics.bootstrap import PairedDifference, paired_difference

MetricName = Literal["recall1", "recall5", "mAP"]
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Entrant:
    """One model that could be measured.

    Attributes:
        name: what it is called.
        result: its numbers.
        dimension: length of its feature.
        size: bytes on disk.
        milliseconds: a picture, from the file to the vector.
        engine: what ran it.
    """

    name: str
    result: RetrievalResult
    dimension: int
    size: int
    milliseconds: float
    engine: str


@dataclass(frozen=True)
class Standing:
    """A model's place.

    Attributes:
        entrant: the model.
        behind: by how much the metric of the best one is higher, query by query; None for the best
            itself, and where the two were not measured on the same queries.
    """

    entrant: Entrant
    behind: PairedDifference | None

    @property
    def is_told_apart(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.behind is not None and not self.behind.low <= 0 <= self.behind.high

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain JSON types."""
        one, behind = self.entrant, self.behind
        return {
            "name": one.name,
            "metrics": dict(one.result.metrics),
            "intervals": {key: list(pair) for key, pair in one.result.intervals.items()},
            "dimension": one.dimension,
            "bytes": one.size,
            "milliseconds": round(one.milliseconds, 3),
            "engine": one.engine,
            "behind_best": None if behind is None else behind.mean,
            "behind_best_interval": None if behind is None else [behind.low, behind.high],
            "told_apart": self.is_told_apart,
        }


def standings(
    entrants: Sequence[Entrant], metric: MetricName, rng: np.random.Generator
) -> list[Standing]:
    """Puts models in order, the best first, and compares each with the best in pairs of queries.

    Args:
        entrants: one or more.
        metric: that decides.
        rng: draws the queries of the paired bootstrap.
    """
    ordered = sorted(entrants, key=lambda one: -one.result.metrics[metric])
    if not ordered:
        return []
    best = _values(ordered[0].result, metric)
    rows = [Standing(ordered[0], None)]
    for one in ordered[1:]:
        own = _values(one.result, metric)
        same = own.shape == best.shape and one.result.query_labels == ordered[0].result.query_labels
        behind = paired_difference(own, best, rng, resamples=_RESAMPLES) if same else None
        rows.append(Standing(one, behind))
    return rows


def _values(result: RetrievalResult, metric: MetricName) -> NDArray[np.float64]:
    """Returns one value a query that has a match."""
    scores = result.scores
    if metric == "mAP":
        return np.asarray(scores.average_precision[scores.matched], np.float64)
    rank = 1 if metric == "recall1" else 5
    return np.asarray(scores.first_rank[scores.matched] <= rank, np.float64)
