"""Curves of several runs over one axis, as plain numbers that a template draws as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.reports.charts import Tick, round_steps
from toolkit.reports.evaluation_figures import Point
from toolkit.reports.smoothing import smoothed

WIDTH, HEIGHT = 520.0, 210.0
_MOST_POINTS = 300
# Fewer than this are marked one by one.
_MARKED = 40

Values = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class RunCurve:
    """The curve of one run; `run` is its number, from 1."""

    run: int
    path: str
    points: list[Point]


@dataclass(frozen=True, slots=True)
class RunChart:
    """Curves of several runs, with ticks across and up.

    Attributes:
        title: what is drawn.
        across_is: the word for the axis across.
        curves: of the runs that have values.
        across: ticks.
        up: ticks.
    """

    title: str
    across_is: str
    curves: list[RunCurve]
    across: list[Tick]
    up: list[Tick]


def run_chart(
    title: str, across_is: str, runs: Sequence[Values], *, smooth: bool = False
) -> RunChart | None:
    """Lays out one chart; None when no run has a value for it.

    Args:
        title: what is drawn.
        across_is: the word for the axis across.
        runs: (x, y) of each run, x rising; empty for a run without them.
        smooth: draw the mean over a window of 2% instead of every value.
    """
    drawn = [_thinned(values, smooth=smooth) for values in runs]
    everything = [value for values in drawn for value in values]
    if not everything:
        return None
    left, right = _span([x for x, _ in everything])
    low, high = _span([y for _, y in everything])
    margin = (high - low) * 0.04
    low, high = low - margin, high + margin

    def place(x: float, y: float) -> tuple[float, float]:
        return WIDTH * (x - left) / (right - left), HEIGHT * (1 - (y - low) / (high - low))

    curves = []
    for number, values in enumerate(drawn, start=1):
        corners = [place(*value) for value in values]
        if corners:
            path = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in corners)
            marked = zip(corners, values, strict=True) if len(values) <= _MARKED else ()
            points = [Point(*at, f"{across_is} {x:g}: {y:.4g}") for at, (x, y) in marked]
            curves.append(RunCurve(number, path, points))
    across = [Tick(place(at, low)[0], f"{at:g}") for at in round_steps(left, right)]
    up = [Tick(place(left, at)[1], f"{at:g}") for at in round_steps(low, high)]
    return RunChart(title, across_is, curves, across, up)


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value with its interval, in units of the chart's width; `run` is its number, from 1."""

    run: int
    at: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, slots=True)
class WhiskerChart:
    """Values of the runs on one axis; `zero` is where no difference would be, if that is in it."""

    whiskers: list[Whisker]
    across: list[Tick]
    zero: float | None = None


def whisker_chart(
    values: Sequence[tuple[int, float, float, float]], *, difference: bool = False
) -> WhiskerChart:
    """Lays out shares with their intervals, in per cent.

    Args:
        values: (number of the run, value, low, high) each; at least one.
        difference: the axis holds 0, which is marked.
    """
    ends = [100 * end for _, value, low, high in values for end in (value, low, high)]
    low, high = _span([*ends, 0.0] if difference else ends)
    margin = (high - low) * 0.08
    low, high = low - margin, high + margin

    def place(percent: float) -> float:
        return WIDTH * (percent - low) / (high - low)

    whiskers = [
        Whisker(
            run,
            at=place(100 * value),
            low=place(100 * start),
            high=place(100 * end),
            title=f"{100 * value:.2f} ({100 * start:.2f} to {100 * end:.2f})",
        )
        for run, value, start, end in values
    ]
    across = [Tick(place(at), f"{at:g}") for at in round_steps(low, high)]
    return WhiskerChart(whiskers, across, place(0.0) if difference else None)


def _thinned(values: Values, *, smooth: bool) -> list[tuple[float, float]]:
    """Returns a few hundred points of a curve, its first and its last among them."""
    if not values:
        return []
    heights = smoothed([y for _, y in values]).tolist() if smooth else [y for _, y in values]
    last, step = len(values) - 1, max(1, -(-len(values) // _MOST_POINTS))
    places = sorted({*range(0, len(values), step), last})
    return [(float(values[at][0]), float(heights[at])) for at in places]


def _span(numbers: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest, apart even where all are the same."""
    low, high = min(numbers), max(numbers)
    if high > low:
        return low, high
    half = max(abs(low) * 0.05, 1e-3)
    return low - half, high + half
