"""Writes an evaluation for people: report.html with pictures, and the complete tables as CSV."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.evaluation.retrieval_result import RetrievalResult
from toolkit.evaluation.shown_pictures import picture_uri, shown_path
from toolkit.evaluation.tables import classes_table, queries_table
from toolkit.reports.evaluation_figures import cmc_chart, spread_chart
from toolkit.reports.evaluation_page import (
    ClassRow,
    EvaluationPage,
    MetricRow,
    Neighbour,
    QueryRow,
    evaluation_page,
)
from toolkit.storage import write_text

_NUM_SHOWN_QUERIES = 8
_NUM_SHOWN_CLASSES = 2000
_NUM_SHOWN_CONFUSIONS = 12
_NUM_SHOWN_UNMATCHED = 100


def write_evaluation_report(
    folder: Path,
    result: RetrievalResult,
    query_paths: Sequence[Path],
    gallery_paths: Sequence[Path],
    *,
    title: str = "Retrieval evaluation",
    facts: Mapping[str, str] | None = None,
    floors: Mapping[str, Mapping[str, float]] | None = None,
) -> Path:
    """Writes ``report.html``, ``queries.csv`` and ``classes.csv``.

    Args:
        folder: where; it is created.
        result: what to report.
        query_paths: [q] the pictures, for the page to show; one that cannot be read is grey there.
        gallery_paths: [n].
        title: of the page.
        facts: what was evaluated, name -> value.
        floors: metrics to set beside ours: name of the floor -> metric -> value.

    Returns:
        The path of report.html.
    """
    classes = _class_rows(result)
    rows = _QueryRows(result, query_paths, gallery_paths)
    page = EvaluationPage(
        title=title,
        facts=list((facts or {}).items()),
        counts=_counts(result),
        metrics=_metric_rows(result, list((floors or {}).values())),
        floors=list(floors or {}),
        cmc=cmc_chart(result.cmc),
        spread=spread_chart(
            result.histogram.edges, result.histogram.matches, result.histogram.non_matches
        ),
        classes=classes[:_NUM_SHOWN_CLASSES],
        num_classes=len(classes),
        confusions=result.confusions()[:_NUM_SHOWN_CONFUSIONS],
        worst=rows.of(_lowest(result, result.scores.average_precision)),
        best=rows.of(_lowest(result, -result.scores.average_precision)),
        unmatched=[
            (shown_path(query_paths[query]), result.query_labels[query])
            for query in result.unmatched[:_NUM_SHOWN_UNMATCHED]
        ],
        num_unmatched=len(result.unmatched),
    )
    report = folder / "report.html"
    write_text(folder / "queries.csv", queries_table(result, query_paths, gallery_paths))
    write_text(folder / "classes.csv", classes_table(result))
    write_text(report, evaluation_page(page))
    return report


def _counts(result: RetrievalResult) -> list[tuple[int, str, bool]]:
    unmatched = len(result.unmatched)
    return [
        (result.num_queries, "queries", False),
        (result.num_gallery, "gallery pictures", False),
        (len(result.classes), "query classes", False),
        (unmatched, "queries without a match", unmatched > 0),
        (result.num_removed, "self-matches removed", False),
    ]


def _metric_rows(result: RetrievalResult, floors: Sequence[Mapping[str, float]]) -> list[MetricRow]:
    return [
        MetricRow(
            name=name,
            meaning=metric_meaning(name),
            value=value,
            interval=result.intervals.get(name),
            floors=[floor.get(name) for floor in floors],
        )
        for name, value in result.metrics.items()
    ]


def metric_meaning(name: str) -> str:
    """Says in a few words what a metric is."""
    fixed = {
        "mAP": "mean average precision, over the whole ranking",
        "map_at_r": "mean average precision up to rank R, the number of matches (MAP@R)",
        "mINP": "R divided by the rank of the last match: how far one must look for all of them",
    }
    if name in fixed:
        return fixed[name]
    if name.startswith("recall"):
        return f"queries with a match among the first {name.removeprefix('recall')}"
    return f"share of matches among the first {name.removeprefix('precision_at_')}"


def _class_rows(result: RetrievalResult) -> list[ClassRow]:
    """Lists the classes, the lowest mAP first; those without a number last."""
    rows = [
        ClassRow(row.label, row.queries, row.unmatched, row.recall1, row.mean_average_precision)
        for row in result.classes
    ]
    without = [row for row in rows if row.mean_average_precision is None]
    with_number = [row for row in rows if row.mean_average_precision is not None]
    return sorted(with_number, key=lambda row: row.mean_average_precision or 0.0) + without


def _lowest(result: RetrievalResult, values: NDArray[np.float64]) -> list[int]:
    """Chooses the matched queries with the lowest values, of different classes where it can."""
    order = [int(i) for i in np.argsort(values, kind="stable") if result.scores.matched[i]]
    first_of_class = {result.query_labels[query]: query for query in reversed(order)}
    heads = set(first_of_class.values())
    ranked = [q for q in order if q in heads] + [q for q in order if q not in heads]
    return ranked[:_NUM_SHOWN_QUERIES]


class _QueryRows:
    """Queries with their nearest pictures, each picture read once."""

    def __init__(
        self, result: RetrievalResult, query_paths: Sequence[Path], gallery_paths: Sequence[Path]
    ) -> None:
        self._result = result
        self._query_paths, self._gallery_paths = query_paths, gallery_paths
        self._uri = functools.cache(picture_uri)

    def of(self, queries: Sequence[int]) -> list[QueryRow]:
        return [self._row(query) for query in queries]

    def _row(self, query: int) -> QueryRow:
        scores, path = self._result.scores, self._query_paths[query]
        return QueryRow(
            uri=self._uri(path),
            name=shown_path(path),
            label=self._result.query_labels[query],
            average_precision=float(scores.average_precision[query]),
            first_rank=int(scores.first_rank[query]),
            num_relevant=int(scores.num_relevant[query]),
            neighbours=[
                self._neighbour(query, place, int(row))
                for place, row in enumerate(self._result.top_rows[query])
                if row >= 0
            ],
        )

    def _neighbour(self, query: int, place: int, row: int) -> Neighbour:
        path = self._gallery_paths[row]
        return Neighbour(
            uri=self._uri(path),
            name=shown_path(path),
            label=self._result.gallery_labels[row],
            score=float(self._result.top_scores[query, place]),
            match=self._result.is_match(query, place),
        )
