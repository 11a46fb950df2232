"""What a pass over the gallery says about a block of queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.index.order_keys import Keys, rows_of, scores_of


@dataclass(frozen=True)
class RankedBlock:
    """What one pass over the gallery says about a few consecutive queries.

    Attributes:
        start: number of the first query.
        counts: int64 [b], relevant rows of each query that were not left out.
        ranks: int64 [counts.sum()], their 1-based ranks, query after query, ascending in each.
        top_rows: int64 [b, k], the first k gallery rows; -1 where the gallery has no more.
        top_scores: float32 [b, k], their scores; -inf where the gallery has no more.
        above: int64 [e], how many pairs of these queries score above each of the edges.
        relevant_above: int64 [e], how many of those are relevant.
        num_ranked: how many pairs were ranked, that is not left out.
    """

    start: int
    counts: NDArray[np.int64]
    ranks: NDArray[np.int64]
    top_rows: NDArray[np.int64]
    top_scores: NDArray[np.float32]
    above: NDArray[np.int64]
    relevant_above: NDArray[np.int64]
    num_ranked: int

    @classmethod
    def of(
        cls,
        *,
        start: int,
        counts: NDArray[np.int64],
        ranks: NDArray[np.int64],
        best: Keys,
        above: NDArray[np.int64],
        relevant_above: NDArray[np.int64],
        num_ranked: int,
    ) -> "RankedBlock":
        """Builds it with the keys [b, k] of the first rows, ascending."""
        top_scores = scores_of(best)
        return cls(
            start=start,
            counts=counts,
            ranks=ranks,
            top_rows=np.where(np.isneginf(top_scores), -1, rows_of(best)),
            top_scores=top_scores,
            above=above,
            relevant_above=relevant_above,
            num_ranked=num_ranked,
        )
