"""Which pictures are to be packed: list files, lists without labels, and annotations of PAI.

Every line becomes a row or a skipped row with its reason, so the counts always add up.
"""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from toolkit.data.manifest import Sample, stream_manifest
from toolkit.errors import DatasetError

LabelSource = Literal["list", "unlabelled", "pai"]

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Row:
    """A picture to pack.

    Attributes:
        line: its line in the list, from 1.
        path: as the list has it: relative, absolute, oss:// or http(s)://.
        label: as the list has it; None without one.
    """

    line: int
    path: str
    label: str | None


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that is not packed.

    Attributes:
        line: its line in the list, from 1.
        path: its picture, or the whole line where that cannot be told.
        reason: one word for counting: "malformed_row", "missing", "truncated", ...
        message: what is wrong, for a person.
    """

    line: int
    path: str
    reason: str
    message: str


class _RowError(ValueError):
    """What is wrong with a line."""


def read_rows(
    file: Path, source: LabelSource, *, columns: Sequence[str], delimiter: str | None = None
) -> Iterator[Row | SkippedRow]:
    """Reads what is to be packed.

    Args:
        file: the list.
        source: ``list``: a list file of this toolkit; ``unlabelled``: a path a line; ``pai``: CSV
            of an id, JSON with the picture's "url", and JSON with its "option" or nothing.
        columns: of a list file, see `toolkit.data.manifest`.
        delimiter: between the columns of ``list`` (the last one in a line counts) and ``pai``
            (a comma without it); None reads a list file by its own rules.

    Raises:
        DatasetError: the file is missing or cannot be read.
    """
    if source == "list" and delimiter is None:
        return _read_list(file, columns)
    if source == "list":
        return _read_lines(file, lambda text: _split_labelled(text, delimiter or ""))
    if source == "unlabelled":
        return _read_lines(file, lambda text: (text, None))
    return _read_lines(file, lambda text: _split_annotation(text, delimiter or ","), comment="#")


def _read_list(file: Path, columns: Sequence[str]) -> Iterator[Row | SkippedRow]:
    for row in stream_manifest(file, columns):
        if isinstance(row, Sample):
            yield Row(row.line, row.path, row.label)
        else:
            yield SkippedRow(row.line, row.text, "malformed_row", row.message)


def _read_lines(
    file: Path, split: Callable[[str], tuple[str, str | None]], comment: str = ""
) -> Iterator[Row | SkippedRow]:
    try:
        # Not by Python's text mode: a lone carriage return may stand in a path.
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise DatasetError(f"List file {file} cannot be read: {error.strerror}.") from error
    for line, raw in enumerate(lines, start=1):
        text = raw.decode("utf-8", "backslashreplace").strip(f"{_BOM} \t\r")
        if not text or (comment and text.startswith(comment)):
            continue
        try:
            raw.decode("utf-8")
            yield Row(line, *split(text))
        except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
            yield SkippedRow(line, text, "malformed_row", str(error))


def _split_labelled(text: str, delimiter: str) -> tuple[str, str]:
    path, found, label = text.rpartition(delimiter)
    if not found or not path.strip() or not label.strip():
        raise _RowError(f"expected a path, {delimiter!r} and a label")
    return path.strip(), label.strip()


def _split_annotation(text: str, delimiter: str) -> tuple[str, str | None]:
    """Reads a line of PAI's annotations, quoted as CSV wants it or, as in older files, not."""
    _, found, rest = text.partition(delimiter)
    if not found:
        raise _RowError(f"expected an id, {delimiter!r} and JSON with a url")
    parts = _json_parts(rest.strip(), delimiter)
    picture = parts[0] if parts else {}
    url = picture.get("url") or picture.get("image")
    if not isinstance(url, str) or not url:
        raise _RowError(f'the raw data {picture} have no "url"')
    answer = parts[1] if len(parts) > 1 else {}
    label = answer.get("option")
    if isinstance(label, list):
        if len(label) != 1:
            raise _RowError(f"{len(label)} options {label}; a picture is packed with one label")
        label = label[0]
    if label is None and answer:
        raise _RowError(f'the answer {answer} has no "option"; only classification is packed')
    return url, None if label is None else str(label)


def _json_parts(text: str, delimiter: str) -> list[dict[str, Any]]:
    """Returns the JSON objects of a line behind its id.

    Raises:
        ValueError, csv.Error: there is anything else.
    """
    parts: list[Any] = []
    if text.startswith('"'):
        fields = next(csv.reader([text], delimiter=delimiter, strict=True), [])
        parts = [json.loads(field) for field in fields if field.strip()]
    else:
        decoder = json.JSONDecoder()
        while text:
            part, end = decoder.raw_decode(text)
            parts.append(part)
            text = text[end:].strip().removeprefix(delimiter).strip()
    for part in parts:
        if not isinstance(part, dict):
            raise _RowError(f"{part!r} is no JSON object")
    return parts
