"""Long imports, one after the other, in a thread behind the requests."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from toolkit.errors import ToolkitError
from toolkit.serving.databases import Databases
from toolkit.serving.embedding import Vector
from toolkit.serving.job import Failure, Job, JobFiles
from toolkit.serving.kept_picture import name_for
from toolkit.serving.names import relative_path
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.picture_records import (
    PictureRecord,
    checked_data,
    checked_group,
    checked_intra,
)
from toolkit.serving.problems import Kind, Problem, problem_of
from toolkit.serving.service import Service

_LOG = logging.getLogger(__name__)
_AT_ONCE = 16
_MOST_WAITING = 100
_BUSY_SECONDS = 0.5


class Jobs:
    """Takes jobs, and does them.

    Args:
        service: the model and the databases.
    """

    def __init__(self, service: Service) -> None:
        self._service, self._changing = service, Lock()
        self._orders: SimpleQueue[tuple[Databases, str] | None] = SimpleQueue()
        self._resumed, self._cancelled = set[Path](), set[str]()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def resume(self, databases: Databases) -> JobFiles:
        """Returns the jobs of a folder; those that an earlier process left are taken up again."""
        files = JobFiles(databases.folder)
        with self._changing:
            if databases.folder not in self._resumed:
                self._resumed.add(databases.folder)
                for job in files.all():
                    if not job.is_over:
                        self._orders.put((databases, job.id))
        return files

    def add(
        self,
        databases: Databases,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        home: str,
        keep: bool,
    ) -> Job:
        """Takes a job.

        Raises:
            Problem: there is no such database, no row, or too many jobs wait.
        """
        databases.get(name)
        if not rows:
            raise Problem(Kind.WRONG_VALUE, "The job has no row.")
        files = self.resume(databases)
        if sum(not job.is_over for job in files.all()) >= _MOST_WAITING:
            raise Problem(Kind.BUSY, f"{_MOST_WAITING} jobs wait already.", retry_after=60)
        job = files.add(name, home, rows, keep=keep)
        self._orders.put((databases, job.id))
        return job

    def cancel(self, databases: Databases, name: str) -> Job:
        """Ends a job; what it has written stays."""
        files = self.resume(databases)
        with self._changing:
            job = files.get(name)
            if job.is_over:
                return job
            self._cancelled.add(name)
            job = replace(job, state="cancelled")
            files.save(job)
            return job

    def close(self) -> None:
        """Ends behind the rows that are under way; the next process goes on."""
        self._stopping.set()
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="job-rows") as pool:
            while (order := self._orders.get()) is not None and not self._stopping.is_set():
                databases, name = order
                files = JobFiles(databases.folder)
                try:
                    self._do(databases, files, files.get(name), pool)
                except _StoppedError:
                    return
                except Exception as error:
                    _LOG.exception("The job %s failed.", name)
                    reason = problem_of(error).message
                    self._save(files, replace(files.get(name), state="failed", reason=reason))

    def _do(
        self, databases: Databases, files: JobFiles, job: Job, pool: ThreadPoolExecutor
    ) -> None:
        rows, is_first = files.rows(job, job.done), True
        job = replace(job, state="running")
        for start in range(0, len(rows), _AT_ONCE):
            if self._stopping.is_set() or job.id in self._cancelled:
                return
            database, some = databases.get(job.database), rows[start : start + _AT_ONCE]
            failures = self._write(database, job, some, pool, may_be_there=is_first)
            job, is_first = job.after(len(some), failures), False
            self._save(files, job)
        self._save(files, replace(job, state="done"))

    def _save(self, files: JobFiles, job: Job) -> None:
        with self._changing:
            if job.id not in self._cancelled:
                files.save(job)

    def _write(
        self,
        database: PictureDatabase,
        job: Job,
        rows: Sequence[Mapping[str, Any]],
        pool: ThreadPoolExecutor,
        *,
        may_be_there: bool,
    ) -> list[Failure]:
        """Writes some rows and returns those that failed."""
        failures = list[Failure]()
        ready = list[tuple[Vector, PictureRecord, bytes]]()
        prepared = pool.map(lambda row: self._prepared(job, row), rows)
        for number, (row, one) in enumerate(zip(rows, prepared, strict=True), start=job.done):
            if isinstance(one, Problem):
                failures.append(Failure(number, one.message))
                continue
            vector, record, picture = one
            record = replace(record, source=f"{job.id}/{number}")
            if row.get("intra_id") is not None:
                database.put(vector, record, picture)
            # A process may have been killed between the rows and the note of them.
            elif not (may_be_there and database.count({"source": record.source})):
                ready.append((vector, record, picture))
        if ready:
            vectors, records, pictures = zip(*ready, strict=True)
            database.append(vectors, records, pictures)
        return failures

    def _prepared(
        self, job: Job, row: Mapping[str, Any]
    ) -> tuple[Vector, PictureRecord, bytes] | Problem:
        try:
            group = checked_group(row.get("group_id"))
            number = row.get("intra_id")
            data = checked_data(row.get("data") or {})
            picture = self._service.reader.read(row.get("image"), job.home)
            vector = self._embedded(picture)
            savename = (row.get("savename") or name_for(picture)) if job.keep else None
            if savename is not None:
                relative_path(str(savename), "savename")
            intra = 0 if number is None else checked_intra(number)
            return vector, PictureRecord(group, intra, savename, data), picture
        except (Problem, ToolkitError) as error:
            return problem_of(error)

    def _embedded(self, picture: bytes) -> Vector:
        """Waits for its turn: requests go first."""
        while (vector := self._tried(picture)) is None:
            if self._stopping.wait(_BUSY_SECONDS):
                raise _StoppedError
        return vector

    def _tried(self, picture: bytes) -> Vector | None:
        try:
            return self._service.embedder.embed(picture)[0]
        except Problem as problem:
            if problem.kind in (Kind.BUSY, Kind.TIMED_OUT):
                return None
            raise


class _StoppedError(Exception):
    """The service stops; the rows under way are done by the next process."""
