"""How good models are against how long they take, as one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.storage import atomic_path

_SIZE_INCHES = (8.0, 5.0)
_DOTS_PER_INCH = 120


@dataclass(frozen=True)
class TradeOff:
    """One model.

    Attributes:
        name: in the legend.
        milliseconds: a picture, above 0.
        value: of the metric, from 0 to 1.
        low: lower end of its interval.
        high: upper end.
    """

    name: str
    milliseconds: float
    value: float
    low: float
    high: float


def draw_trade_off(rows: Sequence[TradeOff], metric: str, path: Path) -> None:
    """Writes the metric over milliseconds a picture, with its 95% intervals, as PNG.

    Args:
        rows: one or more models.
        metric: how it is called.
        path: the picture; written atomically.
    """
    # The object interface: pyplot would keep every figure alive and ask for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for row in rows:
        below, above = row.value - row.low, row.high - row.value
        axes.errorbar(
            [row.milliseconds],
            [row.value],
            yerr=[[below], [above]],
            fmt="o",
            capsize=3,
            label=row.name,
        )
    axes.set_xscale("log")
    axes.margins(x=0.25)
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis("{x:g}")
    axes.set_xlabel("milliseconds a picture, file to feature")
    axes.set_ylabel(f"{metric}, 95% interval")
    # Names beside points would stand on each other.
    figure.legend(loc="outside lower left", fontsize=8)
    axes.grid(visible=True, which="both", alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH)
