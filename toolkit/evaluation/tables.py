"""The complete tables of an evaluation as CSV: one row a query, one row a class."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolkit.evaluation.retrieval_result import RetrievalResult

_QUERY_COLUMNS = (
    "query",
    "label",
    "relevant",
    "first_match_rank",
    "average_precision",
    "nearest",
    "nearest_label",
    "nearest_score",
)
_CLASS_COLUMNS = ("label", "queries", "unmatched", "recall1", "mAP")


def queries_table(
    result: RetrievalResult, query_paths: Sequence[Path], gallery_paths: Sequence[Path]
) -> str:
    """Lists every query, what stands first for it, and how far away its first match is.

    The cells that an unmatched query cannot have are empty.
    """
    return _csv(
        _QUERY_COLUMNS,
        (
            [
                str(query_paths[query]),
                result.query_labels[query],
                int(result.scores.num_relevant[query]),
                *_ranks(result, query),
                *_nearest(result, query, gallery_paths),
            ]
            for query in range(result.num_queries)
        ),
    )


def classes_table(result: RetrievalResult) -> str:
    """Lists every class of queries with its numbers."""
    return _csv(
        _CLASS_COLUMNS,
        (
            [
                row.label,
                row.queries,
                row.unmatched,
                "" if row.recall1 is None else f"{row.recall1:.6f}",
                "" if row.mean_average_precision is None else f"{row.mean_average_precision:.6f}",
            ]
            for row in result.classes
        ),
    )


def _ranks(result: RetrievalResult, query: int) -> list[object]:
    if not result.scores.num_relevant[query]:
        return ["", ""]
    precision = result.scores.average_precision[query]
    return [int(result.scores.first_rank[query]), f"{precision:.6f}"]


def _nearest(result: RetrievalResult, query: int, gallery_paths: Sequence[Path]) -> list[object]:
    row = int(result.top_rows[query, 0])
    if row < 0:
        return ["", "", ""]
    score = result.top_scores[query, 0]
    return [str(gallery_paths[row]), result.gallery_labels[row], f"{score:.6f}"]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
