"""The two charts of an evaluation as plain numbers, which the template draws as SVG in the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.reports.charts import Tick, round_steps

WIDTH, HEIGHT = 520.0, 240.0


@dataclass(frozen=True, slots=True)
class Point:
    """A mark on a curve; `title` shows when it is pointed at."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class CurveChart:
    """Recall@k over k: an SVG path, its marks, and ticks for k (across) and recall (up)."""

    path: str
    points: list[Point]
    across: list[Tick]
    up: list[Tick]


@dataclass(frozen=True, slots=True)
class SpreadChart:
    """Two histograms as SVG areas, each in shares of its own sum, over the scores that occur."""

    matches: str
    non_matches: str
    across: list[Tick]
    up: list[Tick]


def cmc_chart(recalls: Sequence[float] | NDArray[np.float64]) -> CurveChart:
    """Lays out the CMC curve: recall from 0 to 1 over k on a logarithmic axis.

    Args:
        recalls: recall@k for k = 1, 2, ...; at least one.
    """
    last = len(recalls)
    span = math.log(max(last, 2))

    def place(k: int) -> float:
        return WIDTH * math.log(k) / span

    corners = [(place(k), HEIGHT * (1 - value)) for k, value in enumerate(recalls, start=1)]
    path = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    marked = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= last]
    points = [Point(*corners[k - 1], f"recall@{k}: {100 * recalls[k - 1]:.1f}%") for k in marked]
    up = [Tick(HEIGHT * (1 - share / 100), f"{share}%") for share in (0, 25, 50, 75, 100)]
    return CurveChart(path, points, [Tick(place(k), str(k)) for k in marked], up)


def spread_chart(
    edges: NDArray[np.float32], matches: NDArray[np.int64], non_matches: NDArray[np.int64]
) -> SpreadChart:
    """Lays out the scores of matches and of non-matches, so far as they occur.

    Args:
        edges: float32 [bins + 1], rising.
        matches: int64 [bins].
        non_matches: int64 [bins].
    """
    used = np.flatnonzero(matches + non_matches)
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, len(matches) - 1)
    low, high = float(edges[first]), float(edges[last + 1])
    shares = [
        counts[first : last + 1] / max(int(counts.sum()), 1) for counts in (matches, non_matches)
    ]
    top = max(float(max(share.max() for share in shares)), 1e-9)
    step = WIDTH / (last + 1 - first)
    areas = [_area(share / top, step) for share in shares]
    across = [Tick(WIDTH * (at - low) / (high - low), f"{at:g}") for at in round_steps(low, high)]
    up = [Tick(HEIGHT * (1 - k / 2), f"{100 * top * k / 2:.3g}%") for k in range(3)]
    return SpreadChart(areas[0], areas[1], across, up)


def _area(heights: NDArray[np.float64], step: float) -> str:
    """Draws bars without gaps as one closed path."""
    parts = [f"M0,{HEIGHT:g}"]
    for number, height in enumerate(heights):
        parts.append(f"V{HEIGHT * (1 - height):.1f} H{(number + 1) * step:.1f}")
    return " ".join([*parts, f"V{HEIGHT:g} Z"])
