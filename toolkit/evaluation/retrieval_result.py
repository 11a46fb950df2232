"""What one retrieval evaluation found."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.metrics.retrieval import ClassScores, QueryScores


@dataclass(frozen=True)
class ScoreHistogram:
    """How the scores of matches and of non-matches are spread.

    Attributes:
        edges: float32 [bins + 1], rising; a bin holds the scores above its lower edge up to its
            upper one.
        matches: int64 [bins], pairs of a query and a gallery picture of its class.
        non_matches: int64 [bins], all other pairs.
    """

    edges: NDArray[np.float32]
    matches: NDArray[np.int64]
    non_matches: NDArray[np.int64]


@dataclass(frozen=True)
class RetrievalResult:
    """All numbers of one evaluation.

    Attributes:
        metrics: name -> mean over the matched queries: ``recall1``, ``recall5``, ``mAP`` (these
            are PaddleX's names), ``precision_at_5``, ``map_at_r``, ``mINP``, ...
        intervals: name -> (low, high), the 95% interval; empty when none was asked for.
        query_labels: [q].
        gallery_labels: [n].
        scores: the numbers of each query.
        classes: the numbers of each query class.
        cmc: float64 [up to 100], recall@k for k = 1, 2, ...
        top_rows: int64 [q, 5], the nearest gallery rows of each query; -1 where there are no more.
        top_scores: float32 [q, 5], their cosines; -inf where there are no more.
        histogram: scores of matches and non-matches.
        num_removed: pairs that were left out as self-matches.
    """

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    query_labels: list[str]
    gallery_labels: list[str]
    scores: QueryScores
    classes: list[ClassScores]
    cmc: NDArray[np.float64]
    top_rows: NDArray[np.int64]
    top_scores: NDArray[np.float32]
    histogram: ScoreHistogram
    num_removed: int

    @property
    def num_queries(self) -> int:
        """All queries, matched or not."""
        return len(self.query_labels)

    @property
    def num_gallery(self) -> int:
        """Rows of the gallery."""
        return len(self.gallery_labels)

    @property
    def unmatched(self) -> list[int]:
        """Queries without a picture of their class in the gallery; no metric counts them."""
        return [int(query) for query in np.flatnonzero(~self.scores.matched)]

    def is_match(self, query: int, place: int) -> bool:
        """Tells whether the neighbour of a query at a place (from 0) is of its class."""
        row = int(self.top_rows[query, place])
        return row >= 0 and self.gallery_labels[row] == self.query_labels[query]

    def confusions(self) -> list[tuple[str, str, int]]:
        """Lists which class is found first in place of which.

        Returns:
            (query's label, label of its nearest picture, how many queries), the most frequent
            first; matched queries only.
        """
        wrong = Counter(
            (self.query_labels[query], self.gallery_labels[self.top_rows[query, 0]])
            for query in map(int, np.flatnonzero(self.scores.matched))
            if not self.is_match(query, 0)
        )
        return [(label, found, number) for (label, found), number in wrong.most_common()]

    def summary(self) -> dict[str, Any]:
        """Returns the numbers as plain JSON types, for evaluate_result.json."""
        return {
            "metrics": dict(self.metrics),
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "queries": self.num_queries,
            "unmatched_queries": len(self.unmatched),
            "gallery": self.num_gallery,
            "query_classes": len(self.classes),
            "self_matches_removed": self.num_removed,
            "cmc": [round(float(value), 6) for value in self.cmc],
        }
