"""From a label as it is written to the number that a record holds."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.manifest import label_order
from toolkit.data.packing.picture import NO_LABEL
from toolkit.data.packing.rows import Row, SkippedRow
from toolkit.errors import DatasetError

# int64 holds every number of eighteen digits. A leading zero would make two labels one number.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class ClassNumbers:
    """The number of each class.

    Attributes:
        numbers: label -> number; None when no labels are stored at all.
        default_class: the class of labels that are not in `numbers`; None skips their rows.
        error_class: rows with this label are left out.
    """

    numbers: Mapping[str, int] | None
    default_class: str | None = None
    error_class: str | None = None

    def number_of(self, row: Row) -> int | SkippedRow:
        """Returns the number of a row's class, -1 for none, or why the row is left out."""
        if row.label is not None and row.label == self.error_class:
            message = f"its label is Pack.error_class {row.label!r}"
            return SkippedRow(row.line, row.path, "error_class", message)
        if row.label is None or self.numbers is None:
            return NO_LABEL
        known = row.label if row.label in self.numbers else self.default_class
        if known is None:
            message = f"the label {row.label!r} is not in Pack.class_list_file"
            return SkippedRow(row.line, row.path, "unknown_class", message)
        return self.numbers[known]


def read_class_list(file: Path) -> dict[str, int]:
    """Reads a class list: a class a line, its number is that of the line, from 0.

    Raises:
        DatasetError: the file cannot be read, or holds a class twice or an empty line.
    """
    try:
        names = [name.strip() for name in file.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Pack.class_list_file {file} cannot be read: {error}.") from error
    while names and not names[-1]:
        names.pop()
    numbers: dict[str, int] = {}
    for number, name in enumerate(names):
        if not name:
            raise DatasetError(f"{file}:{number + 1}: an empty line; expected a class a line.")
        if name in numbers:
            raise DatasetError(
                f"{file}:{number + 1}: the class {name!r} is there twice, first in line "
                f"{numbers[name] + 1}. Remove one."
            )
        numbers[name] = number
    return numbers


def number_labels(labels: Iterable[str]) -> dict[str, int]:
    """Numbers the classes of a list without a class list.

    Labels that are all whole numbers stay what they are; then train, gallery and query that are
    packed one by one agree. Otherwise a class gets its place in `label_order`.
    """
    ordered = label_order(labels)
    if all(_NUMBER.fullmatch(label) for label in ordered):
        return {label: int(label) for label in ordered}
    return {label: number for number, label in enumerate(ordered)}
