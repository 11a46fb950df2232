"""Charts as plain numbers, which a template draws as SVG inside the page.

Drawn by the page they follow its colours in the light and the dark theme, stay sharp, and need no
picture. Coordinates are in units of the chart's own box, from its top left corner.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560.0, 200.0
_MOST_BARS = 120
# More kinds of picture sizes than this are put together with their neighbours.
_MOST_DOTS = 1500
_LARGEST_DOT = 9.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from the bottom of the chart; `title` shows when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Sizes of the classes of one list, the largest first."""

    name: str
    bars: list[Bar]
    ticks: list[Tick]
    note: str


@dataclass(frozen=True, slots=True)
class Dot:
    """Pictures of one size; `series` is the number of their list."""

    x: float
    y: float
    radius: float
    series: int
    title: str


@dataclass(frozen=True, slots=True)
class DotChart:
    """Widths (across) and heights (up) of pictures, both in steps of doubling."""

    dots: list[Dot]
    across: list[Tick]
    up: list[Tick]


def class_chart(name: str, sizes: Mapping[str, int]) -> BarChart:
    """Lays out a bar a class; beyond 120 classes a bar is the mean of several.

    Args:
        name: the list.
        sizes: label -> number of rows.
    """
    ordered = sorted(sizes.items(), key=lambda item: -item[1])
    group = max(1, -(-len(ordered) // _MOST_BARS))
    parts = [ordered[i : i + group] for i in range(0, len(ordered), group)]
    top = _round_up(max((number for _, number in ordered), default=1))
    step = WIDTH / max(1, len(parts))
    bars = []
    for index, part in enumerate(parts):
        mean = sum(number for _, number in part) / len(part)
        height = HEIGHT * mean / top
        label = (
            part[0][0] if len(part) == 1 else f"{len(part)} classes, {part[0][0]} to {part[-1][0]}"
        )
        title = f"{label}: {mean:g}"
        bars.append(Bar(index * step, HEIGHT - height, step * 0.86, height, title))
    ticks = [Tick(HEIGHT * (1 - k / 2), f"{top * k / 2:g}") for k in range(3)]
    note = f"{len(ordered):,} classes, {sum(sizes.values()):,} pictures"
    return BarChart(name, bars, ticks, note)


def size_chart(pictures: Iterable[tuple[int, int, int]]) -> DotChart:
    """Lays out a dot for each size that occurs in a list.

    Args:
        pictures: (series, width, height) of each picture; series numbers the lists from 1.
    """
    counts = _thinned(Counter(pictures))
    widths = _axis([width for _, width, _ in counts], WIDTH)
    heights = _axis([height for _, _, height in counts], HEIGHT)
    most = max(counts.values(), default=1)
    dots = [
        Dot(
            widths.place(width),
            HEIGHT - heights.place(height),
            3 + (_LARGEST_DOT - 3) * math.log1p(number) / math.log1p(most),
            series,
            f"{width} x {height}: {number:,}",
        )
        for (series, width, height), number in sorted(counts.items(), key=lambda i: -i[1])
    ]
    up = [Tick(HEIGHT - tick.at, tick.text) for tick in heights.ticks()]
    return DotChart(dots, widths.ticks(), up)


def round_steps(low: float, high: float) -> list[float]:
    """Lists some four to eight round numbers from low to high."""
    scale = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(scale * m for m in (1, 2, 2.5, 5, 10) if (high - low) / (scale * m) <= 8)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [round(number * step, 6) for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class _LogAxis:
    low: float
    high: float
    length: float

    def place(self, value: float) -> float:
        return self.length * (math.log2(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[Tick]:
        exponents = range(math.ceil(self.low), math.floor(self.high) + 1)
        every = max(1, len(exponents) // 6)
        return [Tick(self.place(2.0**e), str(2**e)) for e in exponents[::every]]


def _axis(values: Sequence[int], length: float) -> _LogAxis:
    low, high = min(values, default=1), max(values, default=1)
    return _LogAxis(math.log2(low) - 1, math.log2(high) + 1, length)


def _thinned(counts: Counter[tuple[int, int, int]]) -> Counter[tuple[int, int, int]]:
    """Puts sizes that differ by less than some percent together, until few enough are left."""
    steps = 64.0  # of a doubling
    thinned = counts
    while len(thinned) > _MOST_DOTS and steps >= 1:
        thinned = Counter()
        for (series, width, height), number in counts.items():
            thinned[series, _snap(width, steps), _snap(height, steps)] += number
        steps /= 2
    return thinned


def _snap(value: int, steps: float) -> int:
    return max(1, round(2 ** (round(math.log2(value) * steps) / steps)))


def _round_up(value: float) -> float:
    """Returns the next round number whose half is a whole number: 2, 4, 6, ..., 120, 160, 200."""
    scale = 10 ** math.floor(math.log10(max(value, 1)))
    candidates = (round(scale * tenths / 10, 6) for tenths in (10, 12, 16, 20, 30, 40, 60, 80, 100))
    return float(next(number for number in candidates if number >= value and number % 2 == 0))
