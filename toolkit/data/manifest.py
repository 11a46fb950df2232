r"""List files: one line is one picture, written ``path label``.

The rules of a line, in the order in which they apply:

1. UTF-8, with or without a byte order mark; LF or CRLF; lines of blanks are skipped.
2. A line that holds a tab is tab-separated: exactly the columns asked for, and the path may
   hold blanks.
3. In any other line the last blank separates path and label, so the path may hold blanks and
   the label may not. With a camera column it is the last two blanks.

A label is text, also when it looks like a number. A line that breaks the rules is a `RowProblem`
with its number; reading goes on, so that all of them are known at once.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit import storage
from toolkit.errors import DatasetError

DEFAULT_COLUMNS = ("path", "label")
CAMERA_COLUMNS = ("path", "label", "camera")
UNLABELLED_COLUMNS = ("path",)
NO_LABEL = ""

# What counts as a picture when a folder is searched; a list may name any file.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".dib", ".gif", ".jpe", ".jpeg", ".jpg", ".pbm"}
    | {".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

_BOM = "\ufeff"
# Python refuses to read very long numbers; beyond eighteen digits a label is text.
_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a list.

    Attributes:
        path: the picture, as written in the list; relative to the dataset's root, or absolute.
        label: the class, as written; `NO_LABEL` in a list without labels.
        line: the row's line number in its file, from 1.
        camera: the third column (a camera, or the id of the physical thing), when there is one.
    """

    path: str
    label: str
    line: int
    camera: str | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be read.

    Attributes:
        line: its line number, from 1.
        message: what is wrong and what was expected.
        text: the row as it stands in the file.
    """

    line: int
    message: str
    text: str


@dataclass(frozen=True)
class Manifest:
    """The rows of one list file.

    Attributes:
        file: the list.
        root: the folder that relative paths start from.
        split: what the list is for: "train", "gallery", "query".
        samples: the rows that can be read, in file order.
        problems: the rows that cannot, in file order.
    """

    file: Path
    root: Path
    split: str
    samples: list[Sample]
    problems: list[RowProblem]

    @property
    def labels(self) -> list[str]:
        """The label of each sample, in file order."""
        return [sample.label for sample in self.samples]

    def resolve(self, sample: Sample) -> Path:
        """Returns where the picture of a sample is."""
        return self.root / sample.path


def read_manifest(
    file: Path, *, root: Path, split: str, columns: Sequence[str] = DEFAULT_COLUMNS
) -> Manifest:
    """Reads a list file.

    Args:
        file: the list; with `UNLABELLED_COLUMNS` also a folder, whose pictures are its rows.
        root: the folder that relative paths start from.
        split: what the list is for; kept on the result.
        columns: `DEFAULT_COLUMNS`, `CAMERA_COLUMNS` or `UNLABELLED_COLUMNS`.

    Returns:
        The rows, and a problem for each row that breaks the rules.

    Raises:
        DatasetError: the file is missing, cannot be read, or is UTF-16.
        ValueError: `columns` is none of these.
    """
    samples: list[Sample] = []
    problems: list[RowProblem] = []
    folder = tuple(columns) == UNLABELLED_COLUMNS and Path(file).is_dir()
    rows = _folder_rows(Path(file), Path(root)) if folder else stream_manifest(file, columns)
    for row in rows:
        if isinstance(row, Sample):
            samples.append(row)
        else:
            problems.append(row)
    return Manifest(Path(file), Path(root), split, samples, problems)


def stream_manifest(
    file: Path, columns: Sequence[str] = DEFAULT_COLUMNS
) -> Iterator[Sample | RowProblem]:
    """Reads a list file row by row, for lists of millions of rows; see `read_manifest`.

    Raises:
        DatasetError: the file is missing, cannot be read, or is UTF-16.
        ValueError: `columns` is none of these.
    """
    known = (DEFAULT_COLUMNS, CAMERA_COLUMNS, UNLABELLED_COLUMNS)
    if tuple(columns) not in known:
        raise ValueError(
            f"columns must be one of {', '.join(str(list(form)) for form in known)}; "
            f"got {list(columns)}."
        )
    for line, raw in enumerate(_read_lines(file), start=1):
        row = _read_row(raw.rstrip(b"\r\n"), line, len(columns))
        if row is not None:
            yield row


def write_manifest(file: Path, samples: Iterable[Sample], *, labelled: bool = True) -> None:
    """Writes a list file, atomically; `read_manifest` gives back the same samples.

    The samples are written as they come, so they need not fit into memory together.

    Args:
        file: the list.
        samples: its rows.
        labelled: False writes the paths alone.

    Raises:
        DatasetError: see `manifest_text`.
    """
    try:
        with (
            storage.atomic_path(file) as temporary,
            temporary.open("w", encoding="utf-8", newline="\n") as text,
        ):
            text.writelines(_lines(samples) if labelled else _path_lines(samples))
    except DatasetError as error:
        raise DatasetError(f"{file} cannot be written: {error}") from error


def manifest_text(samples: Iterable[Sample]) -> str:
    """Returns the text of a list file.

    A row is tab-separated when its path, label or camera holds a blank; otherwise one blank
    separates the columns. Either every sample has a camera, or none.

    Raises:
        DatasetError: a value cannot stand in a list, such as a path with a tab or a line break.
    """
    return "".join(_lines(samples))


def refusal(sample: Sample) -> str | None:
    """Says why a sample cannot stand in a list ("the path holds a tab, ..."), or None."""
    fields = {"path": sample.path, "label": sample.label, "camera": sample.camera}
    for name, field in fields.items():
        reason = None if field is None else _refused(name, field)
        if reason:
            return f"the {name} {reason}"
    return None


def find_images(folder: Path) -> list[Path]:
    """Returns the files with an image suffix in a folder and below, sorted, none hidden."""
    found = (
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    return sorted(found, key=lambda path: path.as_posix())


def label_order(labels: Iterable[str]) -> list[str]:
    """Returns the distinct labels in class order: a label's index in this list is its class index.

    Whole numbers come first, by value; then all others, as text.
    """
    return sorted(set(labels), key=_label_key)


def _label_key(label: str) -> tuple[bool, int, str]:
    if _INTEGER.fullmatch(label):
        return (False, int(label), label)
    return (True, 0, label)


def _read_lines(file: Path) -> Iterator[bytes]:
    try:
        with Path(file).open("rb") as lines:
            if lines.peek(2).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DatasetError(f"List file {file} is UTF-16; save it as UTF-8.")
            yield from lines
    except FileNotFoundError:
        raise DatasetError(
            f"List file {file} does not exist. Expected one row a picture: path, blank, label."
        ) from None
    except OSError as error:
        raise DatasetError(
            f"List file {file} cannot be read: {error.strerror or error}."
        ) from error


def _read_row(raw: bytes, line: int, num_columns: int) -> Sample | RowProblem | None:
    """Reads one line without its line end; None for a line of blanks."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message = (
            f"byte {raw[error.start]:#04x} at position {error.start + 1} is not UTF-8; "
            "save the list as UTF-8"
        )
        return RowProblem(line, message, raw.decode("utf-8", "backslashreplace"))
    # Not only in the first line: joining two files with `cat` leaves a mark in the middle.
    text = text.lstrip(_BOM)
    if not text.strip(f" \t{_BOM}"):
        return None
    fields = _tab_fields(text, num_columns) if "\t" in text else _blank_fields(text, num_columns)
    problem = _problem(text, fields, num_columns)
    if problem is not None:
        return RowProblem(line, problem, text)
    if num_columns == 1:
        return Sample(fields[0], NO_LABEL, line)
    return Sample(fields[0], fields[1], line, *fields[2:])


def _folder_rows(folder: Path, root: Path) -> Iterator[Sample]:
    """Yields the pictures of a folder and below as rows; their number is their line."""
    for number, path in enumerate(find_images(folder), start=1):
        yield Sample(path.relative_to(root).as_posix(), NO_LABEL, number)


def _tab_fields(text: str, num_columns: int) -> list[str]:
    path, *others = text.split("\t")
    fields = [path, *(other.strip() for other in others)]
    while len(fields) > num_columns and not fields[-1]:
        fields.pop()
    return fields


def _blank_fields(text: str, num_columns: int) -> list[str]:
    fields: list[str] = []
    rest = text.strip(" ")
    for _ in range(num_columns - 1):
        rest, blank, last = rest.rpartition(" ")
        if not blank:
            return [last, *fields]
        rest = rest.rstrip(" ")
        fields.insert(0, last.strip())
    return [rest.lstrip(f" {_BOM}"), *fields]


def _problem(text: str, fields: list[str], num_columns: int) -> str | None:
    """Says what is wrong with a row, or None."""
    names = CAMERA_COLUMNS[:num_columns]
    expected = ", ".join(names)
    if len(fields) != num_columns:
        separator = "tab-separated" if "\t" in text else "blank-separated"
        return f"{len(fields)} {separator} column(s), expected {num_columns}: {expected}"
    for name, field in zip(names, fields, strict=True):
        if not field.strip(" "):
            return f"the {name} is empty, expected {expected}"
        refused = _refused(name, field)
        if refused:
            return f"the {name} {refused}"
    return None


def _refused(name: str, field: str) -> str | None:
    """Says why a value cannot stand in a list, or None."""
    for character, what in (
        ("\t", "a tab"),
        ("\n", "a line break"),
        ("\r", "a carriage return"),
        ("\0", "a zero character"),
    ):
        if character in field:
            return f"holds {what}, which a list cannot carry"
    if not field.strip(" "):
        return "is empty"
    # A file name that is not UTF-8 on disk reaches Python with lone surrogates in it.
    if any("\ud800" <= character <= "\udfff" for character in field):
        return "is not valid Unicode, which a list cannot carry"
    if name == "path" and field.startswith(_BOM):
        return "starts with a byte order mark, which a list cannot carry"
    if name != "path" and field != field.strip():
        return "starts or ends with a blank, which a list cannot carry"
    return None


def _lines(samples: Iterable[Sample]) -> Iterator[str]:
    first: Sample | None = None
    for sample in samples:
        first = first or sample
        if (sample.camera is None) != (first.camera is None):
            raise DatasetError(
                "Some samples have a camera and some have none; expected all or none."
            )
        yield f"{_written(sample)}\n"


def _path_lines(samples: Iterable[Sample]) -> Iterator[str]:
    for sample in samples:
        reason = _refused("path", sample.path)
        if reason:
            raise DatasetError(f"the path {reason}: {sample.path!r}. Rename it.")
        yield f"{sample.path}\n"


def _written(sample: Sample) -> str:
    reason = refusal(sample)
    if reason:
        raise DatasetError(f"{reason}: {sample.path!r} {sample.label!r}. Rename it.")
    fields = [sample.path, sample.label, *([] if sample.camera is None else [sample.camera])]
    return ("\t" if any(" " in field for field in fields) else " ").join(fields)
