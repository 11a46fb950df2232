"""Two sides measured in turn on the same work, and what came of it.

Every area (``benchmarks/<area>.py``) has a function ``measure(options: Options) ->
list[Comparison]``, and may have ``details(options, comparisons) -> Details`` for what has no peer;
``benchmarks.run`` calls them, prints the tables and keeps the figures. Nothing here asserts: a
machine that is slower, or busy, gives other numbers, and they are printed as they are.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.conformance.environments import python_of


@dataclass(frozen=True)
class Options:
    """What a person asked for.

    Attributes:
        quick: less work and fewer repeats: all areas together in 5 minutes instead of 30.
        repeats: how often each side runs, 1 or more.
        workspace: folder for pictures, models and lists; it may be kept between runs.
        dataset: folder with real photographs (train.txt, gallery.txt, query.txt).
    """

    quick: bool
    repeats: int
    workspace: Path
    dataset: Path


@dataclass(frozen=True)
class Comparison:
    """One row of a table: the same work done by this toolkit and by its peer.

    Attributes:
        area: file in benchmarks/ that measured it.
        name: what was done, with the sizes that matter.
        unit: of `ours` and `peer`: ``images/s``, ``s``, ``MiB``.
        ours: one figure a repeat.
        peer: one figure a repeat, of the peer's better setting.
        peer_name: package, version and setting.
        higher_is_better: of the unit.
        required: ratio that has to be reached; None where nothing was promised.
        wanted: ratio that would be good; None likewise.
        parity: what was compared between the two results, and how equal it was.
        note: the peer's other setting, what was scaled, or why a target is not reached.
    """

    area: str
    name: str
    unit: str
    ours: list[float]
    peer: list[float]
    peer_name: str
    higher_is_better: bool = True
    required: float | None = None
    wanted: float | None = None
    parity: str = ""
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median of ours over median of the peer's, turned so that higher is better."""
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        return ours / peer if self.higher_is_better else peer / ours

    @property
    def verdict(self) -> str:
        """``wanted``, ``required`` or ``missed``: the highest target reached; empty without one."""
        if self.required is None and self.wanted is None:
            return ""
        if self.wanted is not None and self.ratio >= self.wanted:
            return "wanted"
        if self.required is None:
            return "missed"
        return "required" if self.ratio >= self.required else "missed"


@dataclass(frozen=True)
class Table:
    """Figures without a peer: the cost of the stages, a curve.

    Attributes:
        title: what it shows, in one line.
        header: names of the columns.
        rows: cells as text, as many as the header has.
    """

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Details:
    """What a reader needs to repeat an area's figures, and what else was measured in the same run.

    Attributes:
        versions: version by package, of the peers' environments.
        parameters: how pictures and other inputs were made, by name.
        tables: figures without a peer.
    """

    versions: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)


def in_turn(
    ours: Callable[[], float], peer: Callable[[], float], repeats: int = 5
) -> tuple[list[float], list[float]]:
    """Runs the two sides `repeats` times each, so that a slow minute of the machine hits both.

    The side that goes first changes with every repeat: whoever goes second finds the files in the
    page cache and the processor warm.

    Args:
        ours: does the work once and returns its figure.
        peer: the same of the other side.
        repeats: 1 or more.

    Returns:
        The figures of both, in the order in which they were taken.
    """
    figures = all_in_turn({"ours": ours, "peer": peer}, repeats)
    return figures["ours"], figures["peer"]


def all_in_turn(
    sides: Mapping[str, Callable[[], float]], repeats: int = 5
) -> dict[str, list[float]]:
    """`in_turn` for any number of sides, such as one peer with two settings."""
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; it must be 1 or more.")
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeats):
        names = list(sides)
        for name in names if number % 2 == 0 else reversed(names):
            figures[name].append(sides[name]())
    return figures


def better(
    settings: Mapping[str, list[float]], *, higher_is_better: bool
) -> tuple[str, list[float]]:
    """Returns the setting with the better median, and its figures.

    Args:
        settings: figures by setting, for example the peer's defaults and threads set to the cores.
        higher_is_better: of the figures.
    """
    choose = max if higher_is_better else min
    name = choose(settings, key=lambda setting: statistics.median(settings[setting]))
    return name, settings[name]


def others(settings: Mapping[str, list[float]], chosen: str, unit: str) -> str:
    """Says in words what the settings that were not chosen gave; empty when there is one only."""
    medians = {name: statistics.median(figures) for name, figures in settings.items()}
    said = [f"{name}: {medians[name]:.4g} {unit}" for name in settings if name != chosen]
    return f"Peer otherwise: {'; '.join(said)}." if said else ""


def seconds(work: Callable[[], object]) -> float:
    """Returns how long a piece of work takes, on the wall."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peer_python(name: str, requirements: Sequence[str]) -> Path:
    """Returns the interpreter of the peer's own environment, output/peers/<name>.

    It is made when it is not there. What this repository pins does not bind a peer.

    Args:
        name: folder of the environment.
        requirements: what pip installs, with versions.
    """
    return python_of(name, requirements, constrained=False, room="peers")
