"""histogram.png of check_dataset: how many pictures and classes each list has, and class sizes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import storage
from toolkit.reports.labels import runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Mapping[str, str] = {"train": "#2f6fd0", "gallery": "#e08a1e", "query": "#2a9d6f"}
_OTHER_COLOUR = "#8a5fc0"
# More classes than this are shown as a curve, without their names.
_MOST_NAMED = 30
_LONGEST_NAME = 24
_TEXT_POINTS = 8.0
_DPI = 150

Sizes = Mapping[str, Mapping[str, int]]


def write_histogram(file: Path, sizes: Sizes) -> None:
    """Draws the class sizes of a dataset.

    Args:
        file: a PNG; written atomically.
        sizes: split -> label -> number of rows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(label for classes in sizes.values() for label in classes))
    named = 0 < len(labels) <= _MOST_NAMED
    figure = Figure(figsize=(11, 3.2 + 0.16 * len(labels) if named else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_totals(left, sizes)
    if named:
        _draw_named_classes(right, sizes, labels)
    else:
        _draw_class_curves(right, sizes)
    with storage.atomic_path(file) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


def _draw_totals(axes: "Axes", sizes: Sizes) -> None:
    """Two bars a list: its pictures and its classes."""
    width = 0.38
    pictures = [sum(classes.values()) for classes in sizes.values()]
    classes = [len(classes) for classes in sizes.values()]
    for shift, name, numbers, shade in (
        (-width / 2, "pictures", pictures, 1.0),
        (width / 2, "classes", classes, 0.45),
    ):
        bars = axes.bar(
            [position + shift for position in range(len(sizes))],
            numbers,
            width,
            color=[COLOURS.get(split, _OTHER_COLOUR) for split in sizes],
            alpha=shade,
        )
        axes.bar_label(bars, [f"{number:,}\n{name}" for number in numbers], fontsize=8, padding=2)
    axes.set_xticks(range(len(sizes)), list(sizes))
    axes.set_ylim(0, max([1, *pictures]) * 1.2)
    axes.locator_params(axis="y", integer=True)
    axes.set_title("Pictures and classes")
    _clean(axes)


def _draw_named_classes(axes: "Axes", sizes: Sizes, labels: Sequence[str]) -> None:
    """A stacked bar a class, with its name."""
    before = [0] * len(labels)
    for split, classes in sizes.items():
        numbers = [classes.get(label, 0) for label in labels]
        colour = COLOURS.get(split, _OTHER_COLOUR)
        axes.barh(range(len(labels)), numbers, 0.7, left=before, color=colour, label=split)
        before = [a + b for a, b in zip(before, numbers, strict=True)]
    axes.set_yticks(range(len(labels)), [""] * len(labels))
    axes.invert_yaxis()
    for row, label in enumerate(labels):
        _write_beside(axes, row, label)
    axes.locator_params(axis="x", integer=True)
    axes.set_title("Pictures of each class")
    axes.legend(frameon=False)
    _clean(axes)


def _draw_class_curves(axes: "Axes", sizes: Sizes) -> None:
    """Class sizes of each list, the largest first."""
    for split, classes in sizes.items():
        ordered = sorted(classes.values(), reverse=True)
        if ordered:
            colour = COLOURS.get(split, _OTHER_COLOUR)
            axes.step(range(1, len(ordered) + 1), ordered, where="mid", color=colour, label=split)
    axes.set_ylim(bottom=0)
    axes.set_title("Pictures of each class, the largest first")
    axes.set_xlabel("class")
    if axes.lines:
        axes.legend(frameon=False)
    _clean(axes)


def _write_beside(axes: "Axes", row: int, label: str) -> None:
    """Writes a label of any script left of the axes, at the height of a row.

    The letters are drawn as outlines, each run of characters with a font that has them:
    matplotlib's own text measures every font by letters that a Chinese font may lack, and its
    fallback fonts would have to be entered into a list that the whole process shares.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.offsetbox import AnnotationBbox, DrawingArea
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath, text_to_path

    shown = label if len(label) <= _LONGEST_NAME else f"{label[: _LONGEST_NAME - 1]}…"
    outlines, width = [], 0.0
    for file, piece in runs(shown):
        font = FontProperties(fname=str(file), size=_TEXT_POINTS)
        if not piece.isspace():  # a blank has no outline, which matplotlib does not expect
            # A dollar sign would start a formula.
            outlines.append(TextPath((width, 0), piece.replace("$", r"\$"), prop=font))
        width += text_to_path.get_text_width_height_descent(piece, font, ismath=False)[0]
    area = DrawingArea(width, 0.7 * _TEXT_POINTS)
    for outline in outlines:
        area.add_artist(PathPatch(outline, lw=0, color="#222222"))
    box = AnnotationBbox(
        area,
        (0, row),
        xybox=(-6, 0),
        xycoords=("axes fraction", "data"),
        boxcoords="offset points",
        box_alignment=(1, 0.5),
        frameon=False,
        annotation_clip=False,
        pad=0,
    )
    axes.add_artist(box)


def _clean(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
