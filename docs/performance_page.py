"""docs/performance.md: what `make bench` measured, from benchmarks/results.json."""

from benchmarks.measure import Comparison
from benchmarks.results import AreaResult, Stamp, read_results
from benchmarks.tables import comparison_table, load_words, markdown, summary_lines

_INTRODUCTION = """\
# Performance

Every figure stands beside its peer's, measured in the same run, on the same files, in turn, and is
a median. The peer lives in an environment of its own, which the command makes; where threads matter
it runs with its defaults and with threads set to the cores, and the better is quoted. *Ratio* is
how many times better this toolkit is: more images a second, fewer seconds, less memory. *Required*
and *wanted* are the targets of this project, *reached* the higher of the two that the ratio meets.
Speed is only counted for the same result, so under each row stands how equal the results were.
Nothing here is asserted by a test: another machine gives other figures.

    make bench            all areas, under 30 minutes
    make bench-quick      the same with less work, 5 minutes
    make bench-inference  one area; likewise -precision, -training, -frozen, -evaluation, -check
                          -extract and -index
    make docs             this page from benchmarks/results.json
"""
_TITLES = {
    "inference": "Pictures to features",
    "precision": "Lower precision",
    "training": "Training on a CPU",
    "frozen": "Training a new head on a frozen backbone",
    "evaluation": "Evaluation at scale",
    "check": "Checking a dataset",
    "extract": "Features of a long list",
    "index": "Searching an index",
}
_NOT_MEASURED = "Nothing has been measured yet: run `make bench`."


def performance_page() -> str:
    """Returns the page."""
    results = read_results()
    lines = [_INTRODUCTION]
    if not results:
        return "\n".join([*lines, _NOT_MEASURED]) + "\n"
    rows = [row for area in results.values() for row in area.comparisons]
    lines += ["## Summary", "", *_summary(rows), ""]
    for name, area in results.items():
        lines += _area(name, area)
    return "\n".join(lines)


def _summary(rows: list[Comparison]) -> list[str]:
    first, *missed = summary_lines(rows)
    return [first, *(["", *(f"- {line}" for line in missed)] if missed else [])]


def _area(name: str, area: AreaResult) -> list[str]:
    lines = [f"## {_TITLES.get(name, name)}", ""]
    lines += [*markdown(comparison_table(name, area.comparisons)), ""]
    for row in area.comparisons:
        said = [f"Peer: {row.peer_name}."]
        said += [f"Parity: {row.parity}."] if row.parity else []
        said += [row.note] if row.note else []
        lines.append(f"- **{row.name}**: {' '.join(said)}")
    for table in area.details.tables:
        lines += ["", f"{table.title}:", "", *markdown(table)]
    if area.details.parameters:
        lines += [""]
        lines += [f"- {key}: `{value}`" for key, value in area.details.parameters.items()]
    return [*lines, "", *_stamp(area.stamp, area.details.versions), ""]


def _stamp(stamp: Stamp, peer_versions: dict[str, str]) -> list[str]:
    machine = stamp.machine
    quick = " (a quick run, with less work)" if stamp.quick else ""
    lines = [
        f"Measured with `{stamp.command}`{quick} in {stamp.seconds:.0f} s on {stamp.date} UTC at "
        f"commit {stamp.commit}; {stamp.repeats} repeats a side; {load_words(stamp)}. "
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['instructions']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}. "
        f"Ours: {_packages(stamp.versions)}."
    ]
    if peer_versions:
        lines[0] += f" Peer: {_packages(peer_versions)}."
    return lines


def _packages(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
