"""report.html of compare."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.reports.page import render_page
from toolkit.reports.run_curves import HEIGHT, WIDTH, RunChart, WhiskerChart


@dataclass(frozen=True, slots=True)
class MetricCell:
    """A metric of one run; `interval` is None where none was computed."""

    value: float
    interval: tuple[float, float] | None
    best: bool


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric of all runs.

    Attributes:
        name: as in evaluate_result.json.
        meaning: what it is, in a few words.
        cells: one a run; None for a run without it.
        chart: the values with their intervals; None where no run has one.
    """

    name: str
    meaning: str
    cells: Sequence[MetricCell | None]
    chart: WhiskerChart | None


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """What a run found first for a query."""

    uri: str
    name: str
    label: str
    right: bool
    rank: int


@dataclass(frozen=True, slots=True)
class ChangedQuery:
    """A query that one run gets right and the other does not."""

    uri: str
    name: str
    label: str
    first: FoundPicture
    second: FoundPicture


@dataclass(frozen=True, slots=True)
class ComparisonPart:
    """One run beside the first.

    Attributes:
        number: of the run, from 1.
        first: name of the first run.
        second: name of this one.
        outcome: better, worse, borderline or none.
        verdict: what the difference is worth, in words.
        notes: what was left out.
        chart: differences of recall@1 and mAP, with their intervals.
        lines: names of the differences, as drawn.
        gained: queries to show that only this run gets right.
        num_gained: how many there are.
        lost: queries to show that only the first run gets right.
        num_lost: how many there are.
        classes: (label, queries, right in the first, right in this one) where they differ.
    """

    number: int
    first: str
    second: str
    outcome: str
    verdict: str
    notes: Sequence[str]
    chart: WhiskerChart
    lines: Sequence[str]
    gained: Sequence[ChangedQuery]
    num_gained: int
    lost: Sequence[ChangedQuery]
    num_lost: int
    classes: Sequence[tuple[str, int, int, int]]


@dataclass(frozen=True)
class ComparisonPage:
    """What the page shows.

    Attributes:
        runs: names, in order.
        facts: (name, text of each run).
        notes: what a reader should know first.
        caution: what no interval of these tells.
        metrics: all numbers, the most important first.
        parts: the other runs beside the first.
        charts: curves of the trainings.
        settings: (section, [(key, text of each run or None where it has none)]) where they differ.
    """

    runs: Sequence[str]
    facts: Sequence[tuple[str, Sequence[str]]]
    notes: Sequence[str]
    caution: str
    metrics: Sequence[MetricLine]
    parts: Sequence[ComparisonPart]
    charts: Sequence[RunChart]
    settings: Sequence[tuple[str, Sequence[tuple[str, Sequence[str | None]]]]]

    @property
    def num_settings(self) -> int:
        """How many settings differ."""
        return sum(len(rows) for _, rows in self.settings)


def comparison_page(page: ComparisonPage) -> str:
    """Writes the page: one HTML file that asks the network for nothing."""
    return render_page("comparison.html", page=page, width=WIDTH, height=HEIGHT)
