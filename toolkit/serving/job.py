"""A long import as files: what is to be done, and how far it is; it outlives a kill."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from toolkit.errors import StorageError
from toolkit.serving.names import is_name
from toolkit.serving.problems import Kind, Problem
from toolkit.storage import atomic_directory, read_json, sync_folder, write_json, write_text

FOLDER = ".jobs"
_FACTS, _ROWS, _FORMAT = "job.json", "rows.jsonl", 1
_MOST_ERRORS = 100
State = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class Failure:
    """A row that was not written, and why."""

    row: int
    error: str


@dataclass(frozen=True)
class Job:
    """How far a job is.

    Attributes:
        id: of the job; ids sort by time.
        database: that it writes to.
        home: folder below the root that its client lives in.
        keep: whether pictures are kept.
        total: rows.
        state: a waiting or running job goes on after a restart.
        done: rows that are through, those that failed among them.
        failed: rows that were not written.
        errors: of the first of them.
        reason: why the job itself failed.
    """

    id: str
    database: str
    home: str
    keep: bool
    total: int
    state: State = "waiting"
    done: int = 0
    failed: int = 0
    errors: Sequence[Failure] = field(default_factory=tuple)
    reason: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("waiting", "running")

    def after(self, count: int, failures: Sequence[Failure]) -> "Job":
        """Returns the job with some more rows through."""
        errors = (*self.errors, *failures)[:_MOST_ERRORS]
        failed = self.failed + len(failures)
        return replace(self, done=self.done + count, failed=failed, errors=errors)

    def to_json(self) -> dict[str, Any]:
        """Returns what clients get."""
        told = asdict(self)
        del told["home"], told["keep"]
        return told


class JobFiles:
    """The jobs of a folder of databases.

    Args:
        folder: of the databases.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def add(
        self, database: str, home: str, rows: Sequence[Mapping[str, Any]], *, keep: bool
    ) -> Job:
        """Writes a new job; when this returns it will be done, whatever happens."""
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        job = Job(name, database, home, keep, len(rows))
        with atomic_directory(self._folder / name) as temporary:
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            write_text(temporary / _ROWS, lines)
            _write(temporary / _FACTS, job)
            sync_folder(temporary)
        sync_folder(self._folder)
        return job

    def save(self, job: Job) -> None:
        """Writes how far a job is."""
        _write(self._folder / job.id / _FACTS, job)

    def get(self, name: str) -> Job:
        """Returns a job.

        Raises:
            Problem: there is none of this id.
        """
        file = self._folder / name / _FACTS
        if not is_name(name) or not file.is_file():
            raise Problem(Kind.NO_JOB, f"There is no job {name[:80]!r}.")
        return _read(file)

    def all(self) -> list[Job]:
        """Returns all jobs, the oldest first."""
        return [_read(file) for file in sorted(self._folder.glob(f"[0-9]*/{_FACTS}"))]

    def rows(self, job: Job, start: int) -> list[dict[str, Any]]:
        """Returns the rows from a place on."""
        text = (self._folder / job.id / _ROWS).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.split("\n")[start : job.total]]


def _write(file: Path, job: Job) -> None:
    write_json(file, {"format_version": _FORMAT, **asdict(job)})


def _read(file: Path) -> Job:
    said = read_json(file)
    if said.pop("format_version", None) != _FORMAT:
        raise StorageError(f"{file} is a job of another version. Remove its folder.")
    errors = tuple(Failure(**error) for error in said.pop("errors"))
    return Job(**said, errors=errors)
