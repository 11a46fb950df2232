"""The same queries before and after a change: of the engine, the precision, the decoder."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.evaluation.retrieval_result import RetrievalResult
from toolkit.metrics.bootstrap import PairedDifference, paired_difference

_RESAMPLES = 10_000


@dataclass(frozen=True)
class RecallChange:
    """Two evaluations of the same lists.

    Attributes:
        before: ``recall1``, ``recall5`` and ``mAP``, each in [0, 1].
        after: the same.
        recall1: change of recall@1 with its 95% interval, from the queries in pairs.
        num_queries: how many queries have a match, and so were counted.
    """

    before: dict[str, float]
    after: dict[str, float]
    recall1: PairedDifference
    num_queries: int

    def to_json(self) -> dict[str, Any]:
        """Returns the change as plain JSON types."""
        return {
            "recall1_change": self.recall1.mean,
            "recall1_change_interval": [self.recall1.low, self.recall1.high],
            "queries": self.num_queries,
        }

    def summary(self) -> str:
        """Returns the change in points, with its interval."""
        change = self.recall1
        return (
            f"recall@1 changed by {100 * change.mean:+.2f} points, 95% interval "
            f"{100 * change.low:+.2f} to {100 * change.high:+.2f} ({self.num_queries} queries)"
        )


def recall_change(
    before: RetrievalResult,
    after: RetrievalResult,
    rng: np.random.Generator,
    *,
    resamples: int = _RESAMPLES,
) -> RecallChange:
    """Compares two evaluations query by query.

    Args:
        before: of the one way to compute features.
        after: of the other, on the same lists.
        rng: draws the queries of the paired bootstrap.
        resamples: how often.

    Raises:
        ValueError: the evaluations are not of the same queries.
    """
    difference = paired_difference(_hits(before, 1), _hits(after, 1), rng, resamples=resamples)
    return RecallChange(
        _numbers(before), _numbers(after), difference, int(before.scores.matched.sum())
    )


def _hits(result: RetrievalResult, k: int) -> NDArray[np.float64]:
    """Returns for each query that has a match whether one is among the first k."""
    first = result.scores.first_rank[result.scores.matched]
    return np.asarray(first <= k, dtype=np.float64)


def _numbers(result: RetrievalResult) -> dict[str, float]:
    precision = result.scores.average_precision[result.scores.matched]
    return {
        "recall1": float(_hits(result, 1).mean()),
        "recall5": float(_hits(result, 5).mean()),
        "mAP": float(precision.mean()),
    }
