"""Embeddings of queries and gallery in, retrieval numbers out, in bounded memory."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatasetError, WeightsError
from toolkit.evaluation.retrieval_result import RetrievalResult, ScoreHistogram
from toolkit.index.budget import Budget
from toolkit.index.exact import ranked_blocks
from toolkit.index.fixed_point import WholeRows
from toolkit.index.ranked_block import RankedBlock
from toolkit.index.row_sets import RowSets
from toolkit.inference.work_ahead import in_order, worker_threads
from toolkit.metrics.bootstrap import bootstrap_intervals
from toolkit.metrics.retrieval import (
    QueryScores,
    concatenate,
    cumulative_match_curve,
    score_classes,
    score_queries,
    values_by_metric,
)

NUM_NEIGHBOURS = 5
_CMC_LENGTH = 100
_EDGES = np.linspace(-1, 1, 201, dtype=np.float32)
_DEFAULT_BUDGET = Budget()


@dataclass(frozen=True)
class Embeddings:
    """Vectors with what is known of the pictures they came from.

    Attributes:
        vectors: float32 [n, d]; compared by cosine, so their lengths do not matter.
        labels: [n] classes.
        ids: [n] what a picture is the same by: its resolved path, or an id of its own.
        cameras: [n] the camera of each picture, or None where nobody asks.
    """

    vectors: NDArray[np.float32]
    labels: list[str]
    ids: list[str]
    cameras: list[str] | None = None

    def __post_init__(self) -> None:
        size = len(self.vectors)
        columns = {"labels": self.labels, "ids": self.ids, "cameras": self.cameras}
        for name, column in columns.items():
            if column is not None and len(column) != size:
                raise ValueError(f"There are {size} vectors and {len(column)} {name}.")

    def __len__(self) -> int:
        return len(self.vectors)


def evaluate_retrieval(
    query: Embeddings,
    gallery: Embeddings,
    *,
    rng: np.random.Generator,
    recall_k: Sequence[int] = (1, 5),
    precision_k: Sequence[int] = (1, 5),
    bootstrap_samples: int = 1000,
    budget: Budget = _DEFAULT_BUDGET,
) -> RetrievalResult:
    """Ranks the gallery by cosine for every query and measures how well classes find themselves.

    A gallery picture with the query's id is a self-match and is removed: it is neither found nor
    in the way. Where both sides have cameras, gallery pictures with the query's label and camera
    are removed too (the rule of person re-identification, and PaddleClas's). So a list may be
    query and gallery at once. Queries that have no match left are counted and not averaged.

    Args:
        query: the pictures to look up.
        gallery: the pictures to find; may be fewer than any k.
        rng: draws the bootstrap's resamples.
        recall_k: k of recall@k.
        precision_k: k of precision@k.
        bootstrap_samples: resamples for the 95% intervals; 0 for no intervals.
        budget: memory and threads that the search may use; they change no number.

    Raises:
        DatasetError: a list is empty, or no query has a match.
        WeightsError: a vector is not finite.
    """
    _check(query, "query")
    _check(gallery, "gallery")
    ks = sorted({*recall_k, *precision_k})
    relevant = RowSets.from_equal(query.labels, gallery.labels)
    tally = _Tally(ks)
    blocks = ranked_blocks(
        WholeRows.of_directions(query.vectors, "query"),
        WholeRows.of_directions(gallery.vectors, "gallery"),
        relevant=relevant,
        exclude=_self_matches(query, gallery),
        k=NUM_NEIGHBOURS,
        edges=_EDGES,
        budget=budget,
    )
    for block in _one_ahead(blocks):
        tally.add(block)
    scores = concatenate(tally.scores)
    if not scores.matched.any():
        raise DatasetError(_nothing_to_measure(query, gallery))
    values = values_by_metric(scores, ks, recall_k=recall_k, precision_k=precision_k)
    intervals = (
        bootstrap_intervals(values, rng, resamples=bootstrap_samples) if bootstrap_samples else {}
    )
    return RetrievalResult(
        metrics={name: float(np.mean(column)) for name, column in values.items()},
        intervals=intervals,
        query_labels=query.labels,
        gallery_labels=gallery.labels,
        scores=scores,
        classes=score_classes(query.labels, scores),
        cmc=cumulative_match_curve(scores.first_rank, min(len(gallery), _CMC_LENGTH)),
        top_rows=np.concatenate(tally.top_rows),
        top_scores=np.concatenate(tally.top_scores),
        histogram=tally.histogram(),
        num_removed=len(query) * len(gallery) - tally.num_ranked,
    )


def _one_ahead(blocks: Iterator[RankedBlock]) -> Iterator[RankedBlock]:
    """Yields blocks; the next one is ranked while one is scored, which takes a core for itself."""
    with worker_threads(1, wait=True) as pool:
        ranked = in_order(repeat(blocks), lambda one: pool.submit(next, one, None).result, ahead=1)
        for block in ranked:
            if block is None:
                return
            yield block


@dataclass
class _Tally:
    """Adds up what the blocks of queries say, so that no block has to be kept."""

    ks: list[int]
    scores: list[QueryScores] = field(default_factory=list)
    top_rows: list[NDArray[np.int64]] = field(default_factory=list)
    top_scores: list[NDArray[np.float32]] = field(default_factory=list)
    num_ranked: int = 0
    above: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_EDGES), np.int64))
    matches_above: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(_EDGES), np.int64)
    )

    def add(self, block: RankedBlock) -> None:
        self.scores.append(score_queries(block.ranks, block.counts, self.ks))
        self.top_rows.append(block.top_rows)
        self.top_scores.append(block.top_scores)
        self.num_ranked += block.num_ranked
        self.above += block.above
        self.matches_above += block.relevant_above

    def histogram(self) -> ScoreHistogram:
        num_matches = sum(int(scores.num_relevant.sum()) for scores in self.scores)
        everything = _bins(self.above, self.num_ranked)
        matches = _bins(self.matches_above, num_matches)
        return ScoreHistogram(_EDGES, matches, everything - matches)


def _bins(above: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Turns counts above each edge into counts between edges.

    A cosine of 1 may be off by its rounding, so the bins at the ends are open.
    """
    inner = above[1:-1]
    return -np.diff(np.concatenate([[total], inner, [0]]))


def _self_matches(query: Embeddings, gallery: Embeddings) -> list[RowSets]:
    removed = [RowSets.from_equal(query.ids, gallery.ids)]
    if query.cameras is not None and gallery.cameras is not None:
        removed.append(
            RowSets.from_equal(
                _pairs(query.labels, query.cameras), _pairs(gallery.labels, gallery.cameras)
            )
        )
    return removed


def _pairs(labels: Iterable[str], cameras: Iterable[str]) -> list[Hashable]:
    return list(zip(labels, cameras, strict=True))


def _check(embeddings: Embeddings, name: str) -> None:
    if not len(embeddings):
        raise DatasetError(f"The {name} list has no pictures, so there is nothing to evaluate.")
    bad = np.flatnonzero(~np.isfinite(embeddings.vectors.sum(axis=1, dtype=np.float64)))
    if len(bad):
        raise WeightsError(
            f"The features of {len(bad)} of {len(embeddings)} {name} pictures are NaN or infinite, "
            f"first those of {embeddings.ids[bad[0]]}. The weights are damaged, or training "
            "diverged; evaluate an earlier checkpoint."
        )


def _nothing_to_measure(query: Embeddings, gallery: Embeddings) -> str:
    def some(labels: list[str]) -> str:
        distinct = list(dict.fromkeys(labels))
        return ", ".join(map(repr, distinct[:5])) + (", ..." if len(distinct) > 5 else "")

    return (
        f"None of the {len(query)} queries has another picture with its label in the gallery of "
        f"{len(gallery)}, so there is nothing to measure. Labels of queries: {some(query.labels)}; "
        f"of the gallery: {some(gallery.labels)}. Put pictures of the queries' classes into the "
        "gallery list."
    )
