"""Reads the files that native annotations consist of: lines of text, JSON, folders."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dataset_tools.native.records import Box
from toolkit.data.convert import SourceProblem
from toolkit.errors import DatasetError

TRAIN = ("train",)
GALLERY = ("gallery",)
QUERY = ("query",)
# One set is searched in itself; evaluation takes the query's own picture out.
BOTH_SIDES = ("gallery", "query")


def locate(root: Path, *candidates: str) -> Path:
    """Returns the first of some paths below a folder that exists.

    Raises:
        DatasetError: none does.
    """
    found = find(root, *candidates)
    if found is None:
        wanted = ", ".join(candidates)
        raise DatasetError(
            f"{root} has none of: {wanted}. Expected the folder as the dataset's archives unpack "
            "it; docs/datasets.md shows the layout."
        )
    return found


def find(root: Path, *candidates: str) -> Path | None:
    """Returns the first of some paths below a folder that exists, or None."""
    return next((root / name for name in candidates if root.joinpath(name).exists()), None)


def inside(root: Path, path: Path) -> str:
    """Returns a path from a folder on, with slashes."""
    relative = path.relative_to(root).as_posix()
    return "" if relative == "." else relative


def text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yields number, from 1, and text of the lines of a UTF-8 file that are not blank.

    Raises:
        DatasetError: the file cannot be read, or is not UTF-8.
    """
    try:
        with file.open("rb") as lines:
            for number, raw in enumerate(lines, start=1):
                text = _decoded(file, number, raw).strip()
                if text:
                    yield number, text
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror or error}.") from error


def table(
    file: Path, columns: Sequence[str], *, separator: str | None = None, counted: bool = False
) -> Iterator[tuple[int, list[str]] | SourceProblem]:
    """Yields number and fields of the rows below a header.

    Args:
        file: the table.
        columns: what the header must say, and how many fields a row must have.
        separator: between fields; None for blanks.
        counted: the first line tells how many rows there are, the second is the header.

    Raises:
        DatasetError: the file cannot be read, or another header was found.
    """
    lines = text_lines(file)
    promised = _promised(file, next(lines, (1, ""))[1]) if counted else None
    number, header = next(lines, (1, ""))
    if [name.strip() for name in header.split(separator)] != list(columns):
        raise DatasetError(
            f"{file}:{number}: the header is {header!r}; expected {' '.join(columns)}."
        )
    found = 0
    for number, text in lines:
        found += 1
        fields = [field.strip() for field in text.split(separator)]
        if len(fields) == len(columns):
            yield number, fields
        else:
            yield SourceProblem(file, number, wrong_fields(text, columns, len(fields)))
    if promised is not None and promised != found:
        yield SourceProblem(file, 1, f"{promised} rows are promised and {found} are there")


def wrong_fields(text: str, columns: Sequence[str], found: int) -> str:
    """Says that a row has another number of fields than expected."""
    return f"{found} fields, expected {len(columns)} ({' '.join(columns)}): {text!r}"


def json_object(file: Path) -> dict[str, Any] | SourceProblem:
    """Reads a JSON file that holds an object; a file that cannot be used is a problem."""
    try:
        data = json.loads(file.read_bytes())
    except OSError as error:
        return SourceProblem(file, None, f"cannot be read: {error.strerror or error}")
    except json.JSONDecodeError as error:
        return SourceProblem(file, error.lineno, f"not JSON: {error.msg}")
    except (UnicodeDecodeError, RecursionError) as error:
        return SourceProblem(file, None, f"not JSON: {error}")
    if not isinstance(data, dict):
        return SourceProblem(file, None, f"holds a {type(data).__name__}; expected an object")
    return data


def box_of(values: Sequence[Any]) -> Box | str:
    """Makes a box of left, top, right, bottom; says what is wrong when it is none."""
    try:
        box = Box(*(float(value) for value in values))
    except (TypeError, ValueError):
        return f"the box is {list(values)}; expected four numbers: left, top, right, bottom"
    if not all(map(math.isfinite, box)):
        return f"the box {list(values)} is not finite; expected four numbers of pixels"
    if not (box.left < box.right and box.top < box.bottom):
        return f"the box {list(values)} is empty; expected left < right and top < bottom"
    return box


def file_names(folder: Path) -> list[str]:
    """Returns the names of the files in a folder, sorted, none hidden."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror or error}.") from error


def _decoded(file: Path, number: int, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}:{number}: not UTF-8; save it as UTF-8.") from error


def _promised(file: Path, text: str) -> int:
    if not text.isdecimal():
        raise DatasetError(f"{file}:1: {text!r} is no number; expected the number of rows.")
    return int(text)
