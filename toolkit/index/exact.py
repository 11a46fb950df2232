"""Exact inner-product search over a whole gallery, in bounded memory.

The order is: score descending, then gallery row ascending. Top k, ranks and score counts come from
the same sorted keys, so they cannot disagree.

Scores are the same for every `memory_mib`, number of threads and machine, and equal vectors get
equal scores (see fixed_point.py); so exact ties are ties, and go by row.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.index import order_keys
from toolkit.index.fixed_point import FixedPoint, Vectors
from toolkit.index.ranking import BlockRanking, RankedBlock
from toolkit.index.row_sets import RowSets
from toolkit.index.tiles import QUERY_BLOCK, Gallery, plan_tiles

_ROWS_AT_ONCE = 4096


def top_k(
    queries: Vectors,
    gallery: Vectors,
    k: int,
    *,
    exclude: Sequence[RowSets] = (),
    memory_mib: int = 256,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Finds the k gallery rows with the highest inner product for each query.

    On unit vectors the inner product is the cosine; `unit_rows` makes them.

    Args:
        queries: float32 [q, d].
        gallery: float32 [n, d].
        k: how many to find; more than n is allowed.
        exclude: gallery rows that each query must not see, such as itself.
        memory_mib: about how much working memory to use.

    Returns:
        scores float32 [q, k] and gallery rows int64 [q, k]; -inf and -1 where there are no more.

    Raises:
        ValueError: shapes that do not fit, k below 1, or vectors that are not finite.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    blocks = [
        (block.top_scores, block.top_rows)
        for block in ranked_blocks(queries, gallery, exclude=exclude, k=k, memory_mib=memory_mib)
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
    memory_mib: int = 256,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finds the rank that each relevant gallery row has in the whole gallery.

    Args:
        queries: float32 [q, d].
        gallery: float32 [n, d].
        relevant: the relevant rows of each query.
        exclude: rows that are neither relevant nor push others down, such as the query itself.
        memory_mib: about how much working memory to use, besides the ranks.

    Returns:
        ranks int64 [counts.sum()], 1-based, query after query and ascending within each; and
        counts int64 [q].

    Raises:
        ValueError: shapes that do not fit, or vectors that are not finite.
    """
    blocks = [
        (block.ranks, block.counts)
        for block in ranked_blocks(
            queries, gallery, relevant=relevant, exclude=exclude, memory_mib=memory_mib
        )
    ]
    nothing = np.empty(0, np.int64)
    ranks = np.concatenate([nothing, *(ranks for ranks, _ in blocks)])
    return ranks, np.concatenate([nothing, *(counts for _, counts in blocks)])


def ranked_blocks(
    queries: Vectors,
    gallery: Vectors,
    *,
    relevant: RowSets | None = None,
    exclude: Sequence[RowSets] = (),
    k: int = 0,
    edges: NDArray[np.float32] | None = None,
    memory_mib: int = 256,
) -> Iterator[RankedBlock]:
    """Ranks the whole gallery for every query, a block of queries at a time.

    Nothing of the size queries x gallery is ever held. Beside `memory_mib` a block needs some 50
    bytes for each relevant pair of its 256 queries.

    Args:
        queries: float32 [q, d].
        gallery: float32 [n, d].
        relevant: rows whose ranks are wanted; None for none.
        exclude: rows to leave out of each query's ranking.
        k: how many of the first rows to return.
        edges: scores at which to count pairs; None for none.
        memory_mib: about how much working memory to use.

    Yields:
        One RankedBlock for up to 256 queries, in order.

    Raises:
        ValueError: shapes that do not fit, or vectors that are not finite.
    """
    wanted = RowSets.from_lists([[]] * len(queries)) if relevant is None else relevant
    queries, gallery = _checked(queries, gallery, [wanted, *exclude])
    edge_bits = order_keys.score_bits(np.asarray([] if edges is None else edges, np.float32))
    vectors = Gallery(gallery, *_fixed_points(gallery, queries))
    ranking = BlockRanking(vectors, plan_tiles(len(gallery), memory_mib), k, edge_bits)
    for start in range(0, len(queries), QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, len(queries))
        left_out = [rows.pairs(start, stop) for rows in exclude]
        yield ranking.rank(start, queries[start:stop], wanted.pairs(start, stop), left_out)


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Scales each row to length 1, so that the inner product is the cosine; zero rows stay zero.

    Args:
        vectors: [n, d].

    Returns:
        float32 [n, d].
    """
    unit = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        block = vectors[rows].astype(np.float64)  # in which the squares of float32 cannot overflow
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        unit[rows] = block / np.where(lengths > 0, lengths, 1)
    return unit


def _checked(
    queries: Vectors, gallery: Vectors, row_sets: Iterable[RowSets]
) -> tuple[Vectors, Vectors]:
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    gallery = np.ascontiguousarray(gallery, dtype=np.float32)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            "Queries and gallery must be [q, d] and [n, d] with the same d, "
            f"not {list(queries.shape)} and {list(gallery.shape)}."
        )
    for sets in row_sets:
        if len(sets) != len(queries):
            raise ValueError(f"There are row sets for {len(sets)} queries, not {len(queries)}.")
        if len(sets.rows) and not 0 <= sets.rows.min() <= sets.rows.max() < len(gallery):
            raise ValueError(f"Row sets name rows outside the gallery of {len(gallery)}.")
    return queries, gallery


def _fixed_points(gallery: Vectors, queries: Vectors) -> tuple[FixedPoint, FixedPoint]:
    ours, theirs = FixedPoint.of(gallery, "gallery"), FixedPoint.of(queries, "query")
    if ours.longest * theirs.longest >= float(np.finfo(np.float32).max):
        raise ValueError(
            f"Vectors of length {ours.longest:.3g} and {theirs.longest:.3g} have scores that "
            "float32 cannot hold; scale them, or make them unit vectors."
        )
    return ours, theirs
