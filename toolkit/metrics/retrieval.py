"""Retrieval numbers from the ranks of the relevant items.

A query's relevant items stand at 1-based ranks in the whole gallery (self-matches removed). That is
all that every number here needs:

    relevant at ranks 1, 3, 8          R = 3 relevant items
    average precision                  (1/1 + 2/3 + 3/8) / 3
    precision@k                        relevant items among the first k, divided by k
    average precision at R             (1/1 + 2/3) / 3: of the ranks up to R only
    inverse negative penalty           3 / 8: R divided by the rank of the last one

Means are taken once, over all queries with at least one relevant item; a query without any says
nothing about the features and is counted, not averaged.

Source: average precision at R (MAP@R): Musgrave, Belongie, Lim, "A Metric Learning Reality Check",
ECCV 2020, section 3.2. Inverse negative penalty (mINP): Ye et al., "Deep Learning for Person
Re-identification: A Survey and Outlook", 2021, equation 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class QueryScores:
    """The numbers of each query; zero throughout for a query with no relevant item.

    Attributes:
        num_relevant: int64 [q].
        first_rank: int64 [q], rank of the nearest relevant item; 0 when there is none.
        average_precision: float64 [q].
        average_precision_at_r: float64 [q].
        inverse_negative_penalty: float64 [q].
        hits: int64 [q, len(k)], relevant items among the first k.
    """

    num_relevant: NDArray[np.int64]
    first_rank: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    average_precision_at_r: NDArray[np.float64]
    inverse_negative_penalty: NDArray[np.float64]
    hits: NDArray[np.int64]

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Which queries have a relevant item."""
        matched: NDArray[np.bool_] = self.num_relevant > 0
        return matched


def score_queries(
    ranks: NDArray[np.int64], num_relevant: NDArray[np.int64], ks: Sequence[int]
) -> QueryScores:
    """Scores each query by itself.

    Args:
        ranks: int64 [num_relevant.sum()], 1-based ranks of the relevant items, query after query,
            ascending within each.
        num_relevant: int64 [q].
        ks: the k at which to count hits; each at least 1, and above the gallery's size if you like.

    Raises:
        ValueError: `ranks` does not have `num_relevant` entries for each query.
    """
    if len(ranks) != int(num_relevant.sum()):
        raise ValueError(f"{len(ranks)} ranks for {int(num_relevant.sum())} relevant items.")
    num_relevant = np.asarray(num_relevant, dtype=np.int64)
    stop = np.cumsum(num_relevant)
    start = stop - num_relevant
    matched = num_relevant > 0

    def total(values: NDArray[Any]) -> NDArray[Any]:
        """Adds up the values of each query."""
        totals = np.zeros(len(num_relevant), values.dtype)
        totals[matched] = np.add.reduceat(values, start[matched]) if len(values) else 0
        return totals

    position = np.arange(1, len(ranks) + 1) - np.repeat(start, num_relevant)
    precision = position / ranks
    early = ranks <= np.repeat(num_relevant, num_relevant)
    first_rank = np.zeros(len(num_relevant), np.int64)
    first_rank[matched] = ranks[start[matched]]
    last_rank = np.ones(len(num_relevant), np.int64)
    last_rank[matched] = ranks[stop[matched] - 1]
    hits = [total((ranks <= k).astype(np.int64)) for k in ks]
    return QueryScores(
        num_relevant=num_relevant,
        first_rank=first_rank,
        average_precision=total(precision) / np.maximum(num_relevant, 1),
        average_precision_at_r=total(precision * early) / np.maximum(num_relevant, 1),
        inverse_negative_penalty=num_relevant / last_rank,
        hits=np.stack(hits, axis=1) if hits else np.zeros((len(num_relevant), 0), np.int64),
    )


def concatenate(parts: Sequence[QueryScores]) -> QueryScores:
    """Joins the scores of consecutive blocks of queries; at least one block."""
    return QueryScores(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in QueryScores.__dataclass_fields__
        }
    )


def values_by_metric(
    scores: QueryScores, ks: Sequence[int], *, recall_k: Sequence[int], precision_k: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Lists, for each metric, one value for each query that has a relevant item.

    The metric is the mean of its values. PaddleX's three names keep their spelling.

    Args:
        scores: of all queries.
        ks: the k that the columns of ``scores.hits`` stand for.
        recall_k: k of recall@k: the share of queries with a relevant item among the first k.
        precision_k: k of precision@k; the divisor is k, also when the gallery is smaller.

    Returns:
        ``recall1``, ..., ``mAP``, ``precision_at_1``, ..., ``map_at_r``, ``mINP``, each float64
        [matched queries].
    """
    column = {k: scores.hits[scores.matched, i] for i, k in enumerate(ks)}
    values = {f"recall{k}": (column[k] > 0).astype(np.float64) for k in recall_k}
    values["mAP"] = scores.average_precision[scores.matched]
    values |= {f"precision_at_{k}": column[k] / k for k in precision_k}
    values["map_at_r"] = scores.average_precision_at_r[scores.matched]
    values["mINP"] = scores.inverse_negative_penalty[scores.matched]
    return values


def cumulative_match_curve(first_rank: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """Computes recall@k for every k from 1 to `length` (the CMC curve).

    Args:
        first_rank: int64 [q], rank of the nearest relevant item; 0 when there is none.
        length: how many points.

    Returns:
        float64 [length], rising; all zero when no query has a relevant item.
    """
    ranks = first_rank[first_rank > 0]
    found = np.bincount(ranks[ranks <= length], minlength=length + 1)[1:]
    return np.asarray(np.cumsum(found) / max(len(ranks), 1), dtype=np.float64)


@dataclass(frozen=True)
class ClassScores:
    """The numbers of one class of queries.

    Attributes:
        label: the class.
        queries: queries that have a relevant item; the means are over these.
        unmatched: queries that have none.
        recall1: share with a relevant item at rank 1; None when no query has one.
        mean_average_precision: over the whole ranking; None when no query has a relevant item.
    """

    label: str
    queries: int
    unmatched: int
    recall1: float | None
    mean_average_precision: float | None


def score_classes(labels: Sequence[str], scores: QueryScores) -> list[ClassScores]:
    """Averages recall@1 and average precision by the queries' class.

    Args:
        labels: [q] the class of each query.
        scores: of the same queries.

    Returns:
        One entry for each class, in the order of first appearance.
    """
    code_of = {label: code for code, label in enumerate(dict.fromkeys(labels))}
    code = np.fromiter((code_of[label] for label in labels), np.int64, len(labels))
    num_classes = len(code_of)
    all_queries = np.bincount(code, minlength=num_classes)
    matched = np.bincount(code[scores.matched], minlength=num_classes)
    at_first = np.bincount(code, weights=scores.first_rank == 1, minlength=num_classes)
    precision = np.bincount(code, weights=scores.average_precision, minlength=num_classes)
    return [
        ClassScores(
            label=label,
            queries=int(matched[i]),
            unmatched=int(all_queries[i] - matched[i]),
            recall1=float(at_first[i] / matched[i]) if matched[i] else None,
            mean_average_precision=float(precision[i] / matched[i]) if matched[i] else None,
        )
        for label, i in code_of.items()
    ]
