"""Exact inner-product search over a whole gallery, in bounded memory.

The order is: score descending, then gallery row ascending. Top k, ranks and score counts come from
the same scores, so they cannot disagree.

Scores are the same for every budget of memory and threads and every machine, and equal vectors get
equal scores (see fixed_point.py); so exact ties are ties, and go by row.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.index.budget import Budget, Workers, plan
from toolkit.index.fixed_point import Vectors, WholeRows
from toolkit.index.ranked_block import RankedBlock
from toolkit.index.ranking import BlockRanking, choose_counter
from toolkit.index.row_sets import RowSets
from toolkit.index.tiles import Scorer

_DEFAULT = Budget()


def top_k(
    queries: Vectors,
    gallery: Vectors,
    k: int,
    *,
    exclude: Sequence[RowSets] = (),
    budget: Budget = _DEFAULT,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Finds the k gallery rows with the highest inner product for each query.

    On unit vectors the inner product is the cosine; `unit_rows` makes them.

    Args:
        queries: float32 [q, d].
        gallery: float32 [n, d].
        k: how many to find; more than n is allowed.
        exclude: gallery rows that each query must not see, such as itself.
        budget: memory and threads to use, besides the answer.

    Returns:
        scores float32 [q, k] and gallery rows int64 [q, k]; -inf and -1 where there are no more.

    Raises:
        ValueError: shapes that do not fit, k below 1, or vectors that are not finite.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    blocks = [
        (block.top_scores, block.top_rows)
        for block in ranked_blocks(
            *_inner_products(queries, gallery), exclude=exclude, k=k, budget=budget
        )
    ]
    scores = np.concatenate([np.empty((0, k), np.float32), *(scores for scores, _ in blocks)])
    rows = np.concatenate([np.empty((0, k), np.int64), *(rows for _, rows in blocks)])
    return scores, rows


def ranks_of_relevant(
    queries: Vectors,
    gallery: Vectors,
    relevant: RowSets,
    *,
    exclude: Sequence[RowSets] = (),
    budget: Budget = _DEFAULT,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finds the rank that each relevant gallery row has in the whole gallery.

    Args:
        queries: float32 [q, d].
        gallery: float32 [n, d].
        relevant: the relevant rows of each query.
        exclude: rows that are neither relevant nor push others down, such as the query itself.
        budget: memory and threads to use, besides the ranks.

    Returns:
        ranks int64 [counts.sum()], 1-based, query after query and ascending within each; and
        counts int64 [q].

    Raises:
        ValueError: shapes that do not fit, or vectors that are not finite.
    """
    blocks = [
        (block.ranks, block.counts)
        for block in ranked_blocks(
            *_inner_products(queries, gallery), relevant=relevant, exclude=exclude, budget=budget
        )
    ]
    nothing = np.empty(0, np.int64)
    ranks = np.concatenate([nothing, *(ranks for ranks, _ in blocks)])
    return ranks, np.concatenate([nothing, *(counts for _, counts in blocks)])


def ranked_blocks(
    queries: WholeRows,
    gallery: WholeRows,
    *,
    relevant: RowSets | None = None,
    exclude: Sequence[RowSets] = (),
    k: int = 0,
    edges: NDArray[np.float32] | None = None,
    budget: Budget = _DEFAULT,
) -> Iterator[RankedBlock]:
    """Ranks the whole gallery for every query, a block of queries at a time.

    Nothing of the size queries x gallery is ever held. A query with more wanted pairs than the
    memory is for gets it all the same: some 130 bytes a pair.

    Args:
        queries: the vectors to look up.
        gallery: the vectors to find.
        relevant: rows whose ranks are wanted; None for none.
        exclude: rows to leave out of each query's ranking.
        k: how many of the first rows to return.
        edges: scores at which to count pairs, ascending; None for none.
        budget: memory and threads to use.

    Yields:
        One RankedBlock for up to 1024 queries, in order.

    Raises:
        ValueError: shapes that do not fit, or scores that are too large.
    """
    wanted = RowSets.from_lists([[]] * len(queries)) if relevant is None else relevant
    _check(queries, gallery, [wanted, *exclude])
    blocks, tiles = plan(len(gallery), wanted.counts + k, budget.share)
    edges = np.empty(0, np.float32) if edges is None else np.asarray(edges, np.float32)
    with Workers(budget.threads) as workers:
        scorer = Scorer(queries, gallery, exclude, workers, memory=budget.share)
        open_counter = choose_counter(len(queries) * len(gallery), k)
        ranking = BlockRanking(scorer, tiles, wanted, open_counter(k, edges, workers))
        for block in blocks:
            yield ranking.rank(block)


def _inner_products(queries: Vectors, gallery: Vectors) -> tuple[WholeRows, WholeRows]:
    return WholeRows.of(queries, "query"), WholeRows.of(gallery, "gallery")


def _check(queries: WholeRows, gallery: WholeRows, row_sets: Iterable[RowSets]) -> None:
    if queries.dimension != gallery.dimension:
        raise ValueError(
            "Queries and gallery must be [q, d] and [n, d] with the same d, "
            f"not {[len(queries), queries.dimension]} and {[len(gallery), gallery.dimension]}."
        )
    if queries.longest * gallery.longest >= float(np.finfo(np.float32).max):
        raise ValueError(
            f"Vectors of length {gallery.longest:.3g} and {queries.longest:.3g} have scores that "
            "float32 cannot hold; scale them, or make them unit vectors."
        )
    for sets in row_sets:
        if len(sets) != len(queries):
            raise ValueError(f"There are row sets for {len(sets)} queries, not {len(queries)}.")
        if len(sets.rows) and not 0 <= sets.rows.min() <= sets.rows.max() < len(gallery):
            raise ValueError(f"Row sets name rows outside the gallery of {len(gallery)}.")
