"""Loss and recall of a run as pictures, drawn from the rows of its metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.reports.smoothing import smoothed
from toolkit.storage import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
_SIZE_INCHES = (8.0, 4.5)
_DOTS_PER_INCH = 120
_SHOWN_METRICS = ("recall1", "recall5", "mAP")


def write_curves(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Writes the curves that the rows of a run are enough for.

    Args:
        rows: of metrics.jsonl.
        folder: gets loss_curve.png, and recall_curve.png when there was an evaluation.

    Returns:
        The pictures written.
    """
    written = []
    for kind, draw, name in (
        ("step", draw_loss_curve, "loss_curve.png"),
        ("evaluation", draw_recall_curve, "recall_curve.png"),
    ):
        if any(row["kind"] == kind for row in rows):
            draw(rows, folder / name)
            written.append(folder / name)
    return written


def draw_loss_curve(rows: Sequence[Row], path: Path | str) -> None:
    """Writes the loss over the steps, with the learning rate on a second axis, as PNG.

    Args:
        rows: of metrics.jsonl; only those of kind "step" are used. None at all gives empty axes.
        path: the picture; written atomically.
    """
    steps = [row for row in rows if row["kind"] == "step"]
    learnt = [row for row in steps if row["loss"] is not None]
    figure, axes = _axes("step", "loss")
    if learnt:
        names = sorted({name for row in learnt for name in row["losses"]})
        if len(names) > 1:
            for name in names:
                having = [row for row in learnt if row["losses"].get(name) is not None]
                smooth = smoothed([row["losses"][name] for row in having])
                axes.plot([row["step"] for row in having], smooth, linewidth=1, label=name)
        at, raw = [row["step"] for row in learnt], [row["loss"] for row in learnt]
        axes.plot(at, raw, color="0.8", linewidth=0.8)
        axes.plot(at, smoothed(raw), color="black", linewidth=1.5, label="loss")
    if steps:
        rate_axes = axes.twinx()
        rates = [row["learning_rate"] for row in steps]
        rate_axes.plot([row["step"] for row in steps], rates, "--", color="tab:green", linewidth=1)
        rate_axes.set_ylabel("learning rate", color="tab:green")
    _write(figure, axes, path)


def draw_rate_curve(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    suggestion: float,
    path: Path | str,
) -> None:
    """Writes the loss of a range test over the learning rate as PNG.

    Args:
        rates: of the steps.
        losses: of the steps.
        smoothed: the same without their noise.
        suggestion: the rate that is marked.
        path: the picture; written atomically.
    """
    figure, axes = _axes("learning rate", "loss")
    axes.set_xscale("log")
    axes.plot(rates, losses, color="0.8", linewidth=0.8)
    axes.plot(rates, smoothed, color="black", linewidth=1.5, label="loss, smoothed")
    axes.axvline(suggestion, color="tab:green", linestyle="--", label=f"{suggestion:.2g}")
    _write(figure, axes, path)


def draw_recall_curve(rows: Sequence[Row], path: Path | str) -> None:
    """Writes recall@1, recall@5 and mAP of every evaluation as PNG.

    Args:
        rows: of metrics.jsonl; only those of kind "evaluation" are used.
        path: the picture; written atomically.
    """
    from matplotlib.ticker import MaxNLocator

    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    figure, axes = _axes("epoch", "on the gallery and query lists")
    for name in _SHOWN_METRICS:
        having = [row for row in evaluations if row["metrics"].get(name) is not None]
        if having:
            values = [row["metrics"][name] for row in having]
            axes.plot([row["epoch"] for row in having], values, marker="o", label=name)
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _write(figure, axes, path)


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    # The object interface: pyplot would keep every figure alive and ask for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _write(figure: Figure, axes: Axes, path: Path | str) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="best")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH)
