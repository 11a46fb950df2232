"""benchmarks/results.json: the figures of every area, each with its machine, commit and date.

Measuring one area again replaces that area alone; the others keep the figures and the stamps of
the run that they came from.
"""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.measure import Comparison, Details, Table
from toolkit.storage import read_json, write_json

FILE = Path(__file__).with_name("results.json")
FORMAT = 1
# The order of the tables.
AREAS = (
    *("inference", "precision", "training", "frozen", "evaluation", "check", "extract", "index"),
    "service",
)


@dataclass(frozen=True)
class Stamp:
    """Where the figures of an area come from.

    Attributes:
        date: of the run, UTC, ``YYYY-MM-DD HH:MM``.
        commit: of the toolkit.
        command: that repeats it.
        quick: whether it was a quick run, with less work.
        repeats: how often each side ran.
        seconds: how long the area took.
        machine: as `benchmarks.machine.machine` gives it.
        versions: version by package on this toolkit's side.
        other_load: share of the cores that other processes had meanwhile; None when unknown.
    """

    date: str
    commit: str
    command: str
    quick: bool
    repeats: int
    seconds: float
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    other_load: float | None = None


@dataclass(frozen=True)
class AreaResult:
    """All that one area gave.

    Attributes:
        stamp: where it comes from.
        comparisons: the rows with a peer.
        details: the rest.
    """

    stamp: Stamp
    comparisons: list[Comparison]
    details: Details = field(default_factory=Details)


def read_results(file: Path = FILE) -> dict[str, AreaResult]:
    """Returns the result of every area in the file, in the order of AREAS; {} without a file.

    Raises:
        ValueError: it was written in another format.
    """
    if not file.is_file():
        return {}
    document = read_json(file)
    if document.get("format") != FORMAT:
        raise ValueError(
            f"{file} has format {document.get('format')!r}, this reads {FORMAT}. Remove the file "
            "and measure again: make bench"
        )
    found = {name: _area(content) for name, content in document["areas"].items()}
    return {name: found[name] for name in sorted(found, key=_place)}


def merge_results(areas: dict[str, AreaResult], file: Path = FILE) -> dict[str, AreaResult]:
    """Puts the results of some areas in the place of their old ones and writes the file.

    Returns:
        All areas of the file now.
    """
    merged = read_results(file) | areas
    content = {name: asdict(merged[name]) for name in sorted(merged, key=_place)}
    write_json(file, {"format": FORMAT, "areas": content})
    return {name: merged[name] for name in content}


def _place(area: str) -> tuple[int, str]:
    return (AREAS.index(area) if area in AREAS else len(AREAS), area)


def _area(content: dict[str, Any]) -> AreaResult:
    details = content["details"]
    tables = [Table(**_known(Table, table)) for table in details["tables"]]
    return AreaResult(
        Stamp(**_known(Stamp, content["stamp"])),
        [Comparison(**_known(Comparison, row)) for row in content["comparisons"]],
        Details(details["versions"], details["parameters"], tables),
    )


def _known(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
