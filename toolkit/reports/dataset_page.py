"""report.html of check_dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.reports.charts import HEIGHT, WIDTH, class_chart, size_chart
from toolkit.reports.page import render_page

# Rows of one code that the page carries, and places that a row names: with more of them a page of a
# large dataset would be too large for a browser. The rest is in findings.jsonl.
_ROWS_A_CODE = 1000
_PLACES_A_ROW = 12


@dataclass(frozen=True, slots=True)
class CodeSummary:
    """One kind of finding that occurred.

    Attributes:
        name: the code.
        severity: error, warning or info.
        meaning: what it is.
        fix: what to do.
        number: how often it occurred.
    """

    name: str
    severity: str
    meaning: str
    fix: str
    number: int


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture of a finding: an image URI and what stands below it."""

    uri: str
    caption: str


@dataclass(frozen=True)
class DatasetPage:
    """What the page shows.

    Attributes:
        dataset: its folder, as given.
        passed: whether it passed.
        fail_on: the lowest severity that fails.
        severities: severity -> how many findings.
        codes: the codes that occurred, errors first.
        rows: all findings, as rows of findings.jsonl.
        classes: split -> label -> number of rows.
        pictures: (split, width, height) of each picture.
        thumbnails: code -> findings -> the pictures of one finding. A choice; `rows` has all.
    """

    dataset: str
    passed: bool
    fail_on: str
    severities: Mapping[str, int]
    codes: Sequence[CodeSummary]
    rows: Sequence[Mapping[str, Any]]
    classes: Mapping[str, Mapping[str, int]]
    pictures: Sequence[tuple[str, int, int]]
    thumbnails: Mapping[str, Sequence[Sequence[Thumbnail]]] = field(default_factory=dict)


def dataset_page(page: DatasetPage) -> str:
    """Writes the page: one HTML file that asks the network for nothing.

    The table has the first thousand findings of each code, and says so where there are more; the
    page's own script shows it fifty rows at a time.
    """
    series = {split: number for number, split in enumerate(page.classes, start=1)}
    return render_page(
        "dataset.html",
        page=page,
        verdict=_verdict(page),
        splits=list(page.classes),
        charts=[class_chart(split, sizes) for split, sizes in page.classes.items()],
        sizes=size_chart((series[split], w, h) for split, w, h in page.pictures),
        width=WIDTH,
        height=HEIGHT,
        table=_table(page),
        most_rows=_ROWS_A_CODE,
        left_out=sum(max(0, code.number - _ROWS_A_CODE) for code in page.codes),
        classes=_classes(page.classes),
    )


def _verdict(page: DatasetPage) -> str:
    if page.fail_on == "never":
        return "Not judged (fail_on: never)"
    return "Passed" if page.passed else "Did not pass"


def _table(page: DatasetPage) -> dict[str, Any]:
    """The findings for the page's script: what a code says is written once, not on each row."""
    numbers = {code.name: number for number, code in enumerate(page.codes)}
    rows: list[list[Any]] = []
    carried = dict.fromkeys(numbers, 0)
    for row in page.rows:
        carried[row["code"]] += 1
        if carried[row["code"]] <= _ROWS_A_CODE:
            rows.append([numbers[row["code"]], _places(row), row["message"]])
    codes = [[code.name, code.severity, code.fix] for code in page.codes]
    return {"codes": codes, "rows": rows}


def _places(row: Mapping[str, Any]) -> str:
    places = [f"{line['file']}:{line['line']}" for line in row["lines"][:_PLACES_A_ROW]]
    more = len(row["lines"]) - len(places)
    said = f" and {more:,} more" if more else ""
    return ", ".join(places) + said or row["split"]


def _classes(sizes: Mapping[str, Mapping[str, int]]) -> list[list[str | int]]:
    """A row a class: its label, and its pictures in each list."""
    labels = dict.fromkeys(label for classes in sizes.values() for label in classes)
    return [[label, *(classes.get(label, 0) for classes in sizes.values())] for label in labels]
