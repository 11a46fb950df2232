"""All shards in order through one writer; the files get their names when all of them are whole."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import DatasetError
from toolkit.extraction.records import INPUT_CHANGED
from toolkit.extraction.rows import Row, Shards
from toolkit.extraction.writers.writer import Writer
from toolkit.storage import write_json

ERRORS, FACTS, CONTENTS = ".errors.jsonl", ".job.json", ".sha256"


@dataclass(frozen=True)
class Merged:
    """What was written.

    Attributes:
        rows: all rows.
        length: numbers of a feature; 0 when every row failed.
        causes: failed rows by cause.
        reasons: the first few, with their pictures.
        files: all files, the output first.
    """

    rows: int
    length: int
    causes: dict[str, int]
    reasons: list[str]
    files: list[Path]


def merge(
    shards: Shards,
    writer: Writer,
    output: Path,
    *,
    identity: Mapping[str, Any],
    keep_contents: bool = False,
    on_row: Callable[[], None] = lambda: None,
) -> Merged:
    """Writes the output of a job whose shards are all there.

    Everything is written inside of the work folder first, which is on the same disk, and renamed.

    Args:
        shards: all of the job's, done.
        writer: the format.
        output: the file.
        identity: of the job; kept beside the output for those who go on from it.
        keep_contents: also write the SHA-256 of each picture's bytes, 32 bytes a row.
        on_row: called behind each row.

    Raises:
        ExtractionError: a shard is missing, or does not go with the others.
        DatasetError: the input has changed.
    """
    shape = shards.shape()
    place = shards.folder.path / "merged"
    place.mkdir(exist_ok=True)
    for left in place.iterdir():
        left.unlink()
    told = _Told(place / (output.name + ERRORS))
    with ExitStack() as stack:
        add = stack.enter_context(writer.writing(place / output.name, shape))
        errors = stack.enter_context(told.file.open("w", encoding="ascii"))
        contents = stack.enter_context((place / (output.name + CONTENTS)).open("wb"))
        for number, row in enumerate(shards.rows()):
            add(row)
            contents.write(row.digest)
            if row.failed is not None:
                errors.write(told.line(row, number))
            on_row()
    if shards.reader.fingerprint() != identity["input"]:
        # The names in the output are those of now, and the features those of then.
        raise DatasetError(INPUT_CHANGED)
    _drop(place, output, ERRORS, when=not told.causes)
    _drop(place, output, CONTENTS, when=not keep_contents)
    facts = {**identity, "length": shape.length, "dtype": shape.dtype.str, "varying": shape.varying}
    write_json(place / (output.name + FACTS), facts)
    files = _put_in_place(place, output)
    return Merged(shape.rows, shape.length, dict(told.causes), told.reasons, files)


class _Told:
    """The failures of a job, counted and written."""

    _FEW = 10

    def __init__(self, file: Path) -> None:
        self.file = file
        self.causes: Counter[str] = Counter()
        self.reasons: list[str] = []

    def line(self, row: Row, number: int) -> str:
        """Counts a failure, and returns its line of the errors file."""
        cause, reason = (row.failed.cause, row.failed.reason) if row.failed else ("", "")
        name = row.record.name
        self.causes[cause] += 1
        if len(self.reasons) < self._FEW:
            self.reasons.append(reason if name in reason else f"{name}: {reason}")
        # Plain ASCII: a name that is not UTF-8 is written by JSON's escapes.
        said = {"row": number + 1, "image": name, "cause": cause, "error": reason}
        return json.dumps(said) + "\n"


def _drop(place: Path, output: Path, ending: str, *, when: bool) -> None:
    """Removes a file that is not wanted, and that of an earlier run, which would stand for it."""
    if when:
        (place / (output.name + ending)).unlink()
        output.with_name(output.name + ending).unlink(missing_ok=True)


def _put_in_place(place: Path, output: Path) -> list[Path]:
    """Renames what was written; the output itself last, for with it a job is done."""
    files = sorted(place.iterdir(), key=lambda file: (file.name == output.name, file.name))
    for file in files:
        with file.open("rb") as written:
            os.fsync(written.fileno())
        file.replace(output.with_name(file.name))
    return [output.with_name(file.name) for file in reversed(files)]
