"""A table with a header row: path, label, and a split when the table knows it.

The columns stand in any order and others are left aside; the delimiter is a comma, a semicolon
or a tab. A split is train, gallery or query.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.convert import Conversion, SourceProblem, divide_pool, require_rows
from toolkit.data.manifest import Sample, refusal
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError

_DELIMITERS = (",", ";", "\t")
_SUFFIXES = (".csv", ".tsv")


def convert_csv(root: Path, *, seed: int = 0, file: str | None = None) -> Conversion:
    """Reads a table of pictures.

    Without a split column it is divided 50 : 30 : 20 into the three lists.

    Args:
        root: the folder that the table's paths start from.
        seed: fixes which picture goes where when there is no split column.
        file: the table, relative to `root`; by default the only .csv or .tsv file there.

    Raises:
        DatasetError: no table or several, no path or label column, or not one usable row.
    """
    table = _table(root, file)
    columns, rows = _read(table)
    pool: list[Sample] = []
    samples: dict[str, list[Sample]] = {name: [] for name in SPLITS}
    problems = []
    for line, row in rows:
        sample, split, message = _sample(row, line, columns)
        if message or sample is None:
            problems.append(SourceProblem(table, line, message))
        else:
            (pool if split is None else samples[split]).append(sample)
    if columns.split is None:
        samples, notes = divide_pool(table, pool, problems, seed=seed)
        return Conversion(samples, problems=problems, notes=notes)
    require_rows(table, [row for part in samples.values() for row in part], problems)
    notes = [f"{table} has no row for {name}.txt." for name in SPLITS if not samples[name]]
    return Conversion(samples, problems=problems, notes=notes)


@dataclass(frozen=True)
class _Columns:
    names: list[str]
    path: int
    label: int
    split: int | None


def _table(root: Path, file: str | None) -> Path:
    if file is not None:
        return root / file
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; expected one with a .csv or .tsv file.")
    found = sorted(path for path in root.iterdir() if path.suffix.lower() in _SUFFIXES)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DatasetError(
            f"{root} must have exactly one .csv or .tsv file with the columns path, label "
            f"and, if known, split; found {names}."
        )
    return found[0]


def _read(table: Path) -> tuple[_Columns, Iterator[tuple[int, list[str]]]]:
    try:
        data = table.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{table} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{table}:{line}: not UTF-8; save the table as CSV UTF-8.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DatasetError(f"{table}:{line}: holds a zero character; expected text.")
    header = text.split("\n", 1)[0]
    for delimiter in _DELIMITERS:
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter))]
        if {"path", "label"} <= set(names):
            split = names.index("split") if "split" in names else None
            columns = _Columns(names, names.index("path"), names.index("label"), split)
            return columns, _rows(table, text, delimiter)
    raise DatasetError(
        f"{table}:1: the header row {header.strip()!r} lacks a column; expected path and label "
        "(and split, if known), separated by commas, semicolons or tabs."
    )


def _rows(table: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line number and the fields of each record below the header."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line = 1
    try:
        for row in reader:
            if line > 1 and any(field.strip() for field in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{table}:{reader.line_num}: {error}.") from error


def _sample(row: list[str], line: int, columns: _Columns) -> tuple[Sample | None, str | None, str]:
    """Returns the sample, its split, and what is wrong with the row ("" for nothing)."""
    if len(row) != len(columns.names):
        return None, None, f"{len(row)} columns, expected {len(columns.names)} as in the header"
    split = None
    if columns.split is not None:
        split = row[columns.split].strip().lower()
        if split not in SPLITS:
            return None, None, f"split is {row[columns.split]!r}; expected {', '.join(SPLITS)}"
    # Tables made on Windows.
    path = row[columns.path].strip().replace("\\", "/")
    sample = Sample(path, row[columns.label].strip(), line)
    return sample, split, refusal(sample) or ""
