"""The figures as text for people: one table an area, and what is met of what was promised."""

import statistics
from collections.abc import Sequence

from benchmarks.measure import Comparison, Table
from benchmarks.results import AreaResult, Stamp

# Above this the figures say more of the other processes than of the two sides.
MOST_OTHER_LOAD = 0.05
_HEADER = ["what", "unit", "ours", "peer", "ratio", "required", "wanted", "reached"]


def figure(value: float) -> str:
    """Returns a measured value with three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def cells(comparison: Comparison) -> list[str]:
    """Returns a row of the table of an area, without parity and notes."""
    return [
        comparison.name,
        comparison.unit,
        figure(statistics.median(comparison.ours)),
        figure(statistics.median(comparison.peer)),
        f"{comparison.ratio:.2f} x",
        _target(comparison.required),
        _target(comparison.wanted),
        comparison.verdict or "-",
    ]


def area_lines(name: str, result: AreaResult) -> list[str]:
    """Returns an area's tables, parities and notes as lines for a terminal."""
    stamp, machine = result.stamp, result.stamp.machine
    title = (
        f"{name}: medians of up to {stamp.repeats} runs in turn{', quick' if stamp.quick else ''}"
    )
    where = f"{machine['processor']}, {machine['cores']} cores, commit {stamp.commit}"
    lines = ["", f"== {title} ({where}; {stamp.seconds:.0f} s; {load_words(stamp)})"]
    lines += aligned([_HEADER, *(cells(row) for row in result.comparisons)])
    for row in result.comparisons:
        lines += [f"{row.name}", f"    peer: {row.peer_name}"]
        lines += [f"    parity: {row.parity}"] if row.parity else []
        lines += [f"    {row.note}"] if row.note else []
    for table in result.details.tables:
        lines += ["", table.title, *aligned([table.header, *table.rows])]
    lines += [f"{key}: {value}" for key, value in result.details.parameters.items()]
    return lines


def load_words(stamp: Stamp) -> str:
    """Says how much of the cores other processes had while an area was measured."""
    if stamp.other_load is None:
        return "load of other processes unknown"
    too_much = ", TOO MUCH: measure again" if stamp.other_load > MOST_OTHER_LOAD else ""
    return f"other processes had {stamp.other_load:.0%} of the cores{too_much}"


def summary_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Returns what is reached of all that was promised, the misses by name."""
    promised = [row for row in comparisons if row.verdict]
    count = {
        verdict: sum(row.verdict == verdict for row in promised)
        for verdict in ("wanted", "required", "missed")
    }
    lines = [
        f"Of {len(promised)} targets, {count['wanted']} reach what is wanted, "
        f"{count['required']} what is required, {count['missed']} neither."
    ]
    return lines + [
        f"missed: {row.area}: {row.name}: {row.ratio:.2f} x, required {_target(row.required)}"
        for row in promised
        if row.verdict == "missed"
    ]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows as lines with columns of equal width; the first column stands left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown(table: Table) -> list[str]:
    """Returns a table in Markdown; the first column stands left."""
    rows = [table.header, *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [lines[0], "|---" + "|---:" * (len(table.header) - 1) + "|", *lines[1:]]


def comparison_table(name: str, comparisons: Sequence[Comparison]) -> Table:
    """Returns the rows of an area as a table."""
    return Table(name, _HEADER, [cells(row) for row in comparisons])


def _target(value: float | None) -> str:
    return "-" if value is None else f"{value:g} x"
