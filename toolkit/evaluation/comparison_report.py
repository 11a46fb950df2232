"""Writes a comparison of runs for people: report.html with pictures, and changed.csv."""

import csv
import functools
import io
import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from toolkit.evaluation.recorded_queries import RecordedQuery
from toolkit.evaluation.recorded_run import RecordedRun
from toolkit.evaluation.report import metric_meaning
from toolkit.evaluation.run_comparison import QueryComparison, SettingRow
from toolkit.evaluation.shown_pictures import grey_uri, picture_uri, shown_path
from toolkit.reports.comparison_page import (
    ChangedQuery,
    ComparisonPage,
    ComparisonPart,
    FoundPicture,
    MetricCell,
    MetricLine,
    comparison_page,
)
from toolkit.reports.run_curves import RunChart, run_chart, whisker_chart
from toolkit.storage import write_text

_COLUMNS = (
    "first_run", "second_run", "change", "query", "label",
    "first_rank", "first_nearest", "first_nearest_label",
    "second_rank", "second_nearest", "second_nearest_label",
)  # fmt: skip
_RATE = "images_per_second"
CAUTION = (
    "Intervals and p are about the choice of queries. They do not know that another seed would "
    "have trained another network: repeat both with other seeds to know that."
)
_FIRST_METRICS = ("recall1", "recall5", "mAP")


def write_comparison_report(
    folder: Path,
    runs: Sequence[RecordedRun],
    settings: Sequence[SettingRow],
    comparisons: Sequence[tuple[int, QueryComparison]],
    notes: Sequence[str],
    *,
    shown: int,
) -> Path:
    """Writes ``report.html`` and ``changed.csv``.

    Args:
        folder: where; it is created.
        runs: the runs, the one that is compared with first.
        settings: where their configurations differ.
        comparisons: (place of a run, from 0; how it compares with the first).
        notes: what a reader should know first.
        shown: pictures of changed queries, each way.

    Returns:
        The path of report.html.
    """
    picture = functools.cache(_picture)
    page = ComparisonPage(
        runs=[run.name for run in runs],
        facts=_facts(runs),
        notes=notes,
        caution=CAUTION,
        metrics=_metric_lines(runs),
        parts=[_part(at + 1, one, picture, shown) for at, one in comparisons],
        charts=_charts(runs),
        settings=_settings(settings),
    )
    report = folder / "report.html"
    write_text(folder / "changed.csv", _changed_table([one for _, one in comparisons]))
    write_text(report, comparison_page(page))
    return report


def metric_names(runs: Sequence[RecordedRun]) -> list[str]:
    """Lists the metrics of all runs, the most important first."""
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    first = [name for name in _FIRST_METRICS if name in names]
    return [*first, *(name for name in names if name not in first)]


def _facts(runs: Sequence[RecordedRun]) -> list[tuple[str, list[str]]]:
    names = dict.fromkeys(name for run in runs for name in run.facts)
    return [(name, [run.facts.get(name, "") for run in runs]) for name in names]


def _metric_lines(runs: Sequence[RecordedRun]) -> list[MetricLine]:
    lines = []
    for name in metric_names(runs):
        values = [run.metrics.get(name) for run in runs]
        best = max(value for value in values if value is not None)
        cells = [
            None if value is None else MetricCell(value, run.intervals.get(name), value == best)
            for value, run in zip(values, runs, strict=True)
        ]
        drawn = [
            (number, cell.value, *cell.interval)
            for number, cell in enumerate(cells, start=1)
            if cell is not None and cell.interval is not None
        ]
        chart = whisker_chart(drawn) if drawn else None
        lines.append(MetricLine(name, metric_meaning(name), cells, chart))
    return lines


def _part(number: int, one: QueryComparison, picture: Any, shown: int) -> ComparisonPart:
    differences = [astuple(one.recall1), astuple(one.precision)]
    return ComparisonPart(
        number=number,
        first=one.first,
        second=one.second,
        outcome=one.outcome,
        verdict=one.verdict(),
        notes=one.notes(),
        chart=whisker_chart([(number, *numbers) for numbers in differences], difference=True),
        lines=["recall@1", "mAP"],
        gained=[_changed(pair, picture) for pair in _varied(one.gained)[:shown]],
        num_gained=len(one.gained),
        lost=[_changed(pair, picture) for pair in _varied(one.lost)[:shown]],
        num_lost=len(one.lost),
        classes=[(row.label, row.queries, row.first, row.second) for row in one.classes],
    )


def _varied(
    pairs: Sequence[tuple[RecordedQuery, RecordedQuery]],
) -> list[tuple[RecordedQuery, RecordedQuery]]:
    """Puts one pair of every class before the second of any."""
    seen: dict[str, int] = {}
    turns = []
    for pair in pairs:
        seen[pair[0].label] = seen.get(pair[0].label, 0) + 1
        turns.append(seen[pair[0].label])
    order = sorted(range(len(pairs)), key=lambda at: turns[at])
    return [pairs[at] for at in order]


def _changed(pair: tuple[RecordedQuery, RecordedQuery], picture: Any) -> ChangedQuery:
    query = pair[0]
    # The picture may be found from where one of the two was evaluated, and not the other.
    path = next((one.path for one in pair if one.path.is_file()), query.path)
    found = [
        FoundPicture(
            picture(one.nearest),
            "" if one.nearest is None else shown_path(one.nearest),
            one.nearest_label,
            one.right,
            one.first_rank,
        )
        for one in pair
    ]
    return ChangedQuery(picture(path), shown_path(path), query.label, *found)


def _picture(path: Path | None) -> str:
    """A run may have been moved here without its pictures: that is worth no warning for each."""
    return grey_uri() if path is None or not path.is_file() else picture_uri(path)


def _charts(runs: Sequence[RecordedRun]) -> list[RunChart]:
    def values(kind: str, across: str, *keys: str) -> list[list[tuple[float, float]]]:
        return [
            [
                (row[across], value)
                for row in run.rows
                if row["kind"] == kind and (value := _value(row, keys)) is not None
            ]
            for run in runs
        ]

    def shares(name: str) -> list[list[tuple[float, float]]]:
        found = values("evaluation", "epoch", "metrics", name)
        # A single evaluation is no curve; the table has it.
        curves = any(len(run) > 1 for run in found)
        return [[(at, 100 * value) for at, value in run] for run in found] if curves else []

    charts = [
        run_chart("Loss", "step", values("step", "step", "loss"), smooth=True),
        *(run_chart(f"{name} in %", "epoch", shares(name)) for name in _FIRST_METRICS),
        run_chart("Learning rate", "step", values("step", "step", "learning_rate")),
        run_chart("Pictures a second", "step", values("step", "step", _RATE), smooth=True),
    ]
    return [chart for chart in charts if chart is not None]


def _value(row: Any, keys: Sequence[str]) -> float | None:
    for key in keys:
        row = row.get(key) if isinstance(row, dict) else None
    return row if isinstance(row, int | float) else None


def _settings(rows: Sequence[SettingRow]) -> list[tuple[str, list[tuple[str, list[str | None]]]]]:
    """Groups the settings by their section."""
    sections: dict[str, list[tuple[str, list[str | None]]]] = {}
    for row in rows:
        section = row.key.partition(".")[0]
        texts = [_text(*cell) for cell in zip(row.values, row.given, strict=True)]
        sections.setdefault(section, []).append((row.key, texts))
    return list(sections.items())


def _text(value: Any, given: bool) -> str | None:  # noqa: FBT001 - one of a pair of cells
    if not given:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _changed_table(comparisons: Sequence[QueryComparison]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in comparisons:
        for change, pairs in (("gained", one.gained), ("lost", one.lost)):
            for first, second in pairs:
                cells = [
                    cell
                    for query in (first, second)
                    for cell in (query.first_rank, query.nearest or "", query.nearest_label)
                ]
                writer.writerow([one.first, one.second, change, first.path, first.label, *cells])
    return text.getvalue()
