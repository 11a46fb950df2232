"""report.html of evaluate."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.reports.evaluation_figures import HEIGHT, WIDTH, CurveChart, SpreadChart
from toolkit.reports.page import render_page


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number.

    Attributes:
        name: as in evaluate_result.json.
        meaning: what it is, in a few words.
        value: from 0 to 1.
        interval: (low, high), or None when none was computed.
        floors: the same number of each floor, in the page's order of floors.
    """

    name: str
    meaning: str
    value: float
    interval: tuple[float, float] | None
    floors: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of queries; the numbers are None when no query of it has a match."""

    label: str
    queries: int
    unmatched: int
    recall1: float | None
    mean_average_precision: float | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A gallery picture that was found.

    Attributes:
        uri: the picture.
        name: its path as shown.
        label: its class.
        score: its cosine with the query.
        match: whether it is of the query's class.
    """

    uri: str
    name: str
    label: str
    score: float
    match: bool


@dataclass(frozen=True, slots=True)
class QueryRow:
    """A query picture with its nearest neighbours.

    Attributes:
        uri: the picture.
        name: its path as shown.
        label: its class.
        average_precision: over the whole ranking.
        first_rank: rank of the nearest gallery picture of its class.
        num_relevant: gallery pictures of its class.
        neighbours: the nearest first.
    """

    uri: str
    name: str
    label: str
    average_precision: float
    first_rank: int
    num_relevant: int
    neighbours: Sequence[Neighbour]


@dataclass(frozen=True)
class EvaluationPage:
    """What the page shows.

    Attributes:
        title: of the page.
        facts: what was evaluated: (name, value), such as the weights and the lists.
        counts: (number, what it counts, whether it is a warning).
        metrics: all numbers, the most important first.
        floors: names of the floors beside them.
        cmc: recall@k over k.
        spread: scores of matches and non-matches.
        classes: the classes to list, the worst first.
        num_classes: how many there are.
        confusions: (label, label found first in its place, queries), the most frequent first.
        worst: queries with the lowest average precision.
        best: queries with the highest.
        unmatched: (path, label) of the queries without a match to list.
        num_unmatched: how many there are.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    counts: Sequence[tuple[int, str, bool]]
    metrics: Sequence[MetricRow]
    cmc: CurveChart
    spread: SpreadChart
    classes: Sequence[ClassRow]
    num_classes: int
    confusions: Sequence[tuple[str, str, int]]
    worst: Sequence[QueryRow]
    best: Sequence[QueryRow]
    floors: Sequence[str] = ()
    unmatched: Sequence[tuple[str, str]] = ()
    num_unmatched: int = 0


def evaluation_page(page: EvaluationPage) -> str:
    """Writes the page: one HTML file that asks the network for nothing."""
    return render_page("evaluation.html", page=page, width=WIDTH, height=HEIGHT)
