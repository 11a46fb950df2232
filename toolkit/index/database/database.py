"""The index in a folder: the interface over a store, a structure and their files."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError
from toolkit.index.database.changes import (
    adding,
    check_ids,
    removing,
    removing_where,
    replacing,
)
from toolkit.index.database.group_commit import Change, GroupCommit, Written
from toolkit.index.database.header import Generation, read_header
from toolkit.index.database.live import Live, unique_rows
from toolkit.index.database.record_store import RecordStore
from toolkit.index.database.shared_lock import SharedLock
from toolkit.index.filters import to_sql
from toolkit.index.interface import Closeness, Entry, Filter, Hit, IndexFacts, Record
from toolkit.index.kinds.making import empty_structure
from toolkit.index.similarity import Similarity

_ENTRIES_AT_ONCE = 1024


class Database:
    """An index in a folder. Open one with `create_index` or `open_index`.

    Args:
        folder: holds an index.
        lock: the open lock file that keeps other writers out.
    """

    def __init__(self, folder: Path, lock: BinaryIO) -> None:
        self.folder, self._lock_file = folder, lock
        self._header = read_header(folder)
        self._lock, self._publishing = SharedLock(), Lock()
        self._failure: BaseException | None = None
        self._live = self._open_live(self._header.live)
        self._commits = GroupCommit(self._live.store, self._commit)

    def _open_live(self, generation: Generation) -> Live:
        similarity = Similarity(generation.metric, generation.dimension)
        file = self.folder / generation.records
        if not file.is_file():
            raise VectorIndexError(
                f"{file} is not there; it holds the records of this index. Put back a copy of the "
                "whole folder."
            )
        store = RecordStore(file, similarity.dtype, similarity.width, self._header.fields)
        live = Live(store, similarity, empty_structure(similarity))
        live.catch_up()
        return live

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        generation = self._header.live
        return IndexFacts(
            generation.dimension,
            generation.metric,
            generation.kind,
            generation.fingerprint,
            self._live.rows.count,
            generation.measured.get("recall@10"),
        )

    # Writing.

    def add(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records, all or none; see `VectorIndex.add`."""
        self._write(adding(self._live.similarity, ids, vectors, records))

    def upsert(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records and replaces those that are there; see `VectorIndex.upsert`."""
        self._write(replacing(self._live.similarity, ids, vectors, records))

    def remove(self, ids: Sequence[str]) -> int:
        """Removes records and returns how many of the ids were there."""
        return len(self._write(removing(self._live.similarity, ids)).removed)

    def remove_where(self, where: Filter) -> int:
        """Removes the records that a filter keeps and returns how many they were."""
        return len(self._write(removing_where(self._live.similarity, where)).removed)

    def _write(self, change: Change) -> Written:
        self._check_usable()
        return self._commits.write(change)

    def _commit(self, write: Callable[[], Sequence[Written]]) -> None:
        with self._publishing:
            written = write()
            try:
                with self._lock.alone():
                    for one in written:
                        self._live.publish(one)
            except BaseException as error:
                self._failure = error
                raise

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise VectorIndexError(
                f"{self.folder}: a write is safe on the disk and could not be made findable "
                f"({self._failure}). Open the index again."
            ) from self._failure

    # Reading.

    def get(self, ids: Sequence[str]) -> list[Entry | None]:
        """Returns the record of each id; None for one that is not there."""
        check_ids(ids)
        stored = self._live.store.stored_ids(ids)
        rows, vectors = self._live.store.vectors(np.array(sorted(row for row, *_ in stored)))
        at = {int(row): number for number, row in enumerate(rows)}
        found = {
            key: Entry(key, json.loads(text), vectors[at[row]])
            for row, key, text in stored
            if row in at
        }
        return [found.get(key) for key in ids]

    def search(
        self,
        queries: NDArray[Any],
        k: int = 10,
        *,
        where: Filter | None = None,
        threshold: float | None = None,
    ) -> list[list[Hit]]:
        """Finds the nearest records of each query; see `VectorIndex.search`.

        Raises:
            VectorIndexError: the queries do not fit, k is below 1, or the filter is malformed.
        """
        self._check_usable()
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise VectorIndexError(f"k is {k!r}; it must be a whole number of at least 1.")
        ready = self._live.similarity.prepare(queries, "query")
        # A record may go between the search and the reading of it; while nobody commits, none does.
        for waiting in (nullcontext(), self._publishing):
            with waiting, self._lock.shared():
                closeness, rows = self._live.nearest(ready, k, where)
                wanted = unique_rows(rows)
                stored = self._live.store.stored(wanted)
            if len(stored) == len(wanted):
                break
        records = {row: (key, json.loads(text)) for row, key, text in stored.values()}
        return self._hits(closeness, rows, records, threshold)

    def _hits(
        self,
        closeness: Closeness,
        rows: NDArray[np.int64],
        records: dict[int, tuple[str, Record]],
        threshold: float | None,
    ) -> list[list[Hit]]:
        similarity = self._live.similarity
        scores = similarity.scores(closeness).tolist()
        distances = similarity.distances(closeness).tolist()
        least = -np.inf if threshold is None else threshold
        answers = []
        for its_scores, its_distances, its_rows in zip(
            scores, distances, rows.tolist(), strict=True
        ):
            hits = []
            for score, distance, row in zip(its_scores, its_distances, its_rows, strict=True):
                if row >= 0 and score >= least and row in records:
                    key, record = records[row]
                    hits.append(Hit(key, score, distance, record))
            answers.append(hits)
        return answers

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records there are, or how many a filter keeps."""
        with self._lock.shared():
            return self._live.kept(where) if where else self._live.rows.count

    def entries(self, where: Filter | None = None) -> Iterator[Entry]:
        """Yields every record that a filter keeps, in the order of writing."""
        to_sql(where or {})
        store = self._live.store
        wanted = store.rows(where=where)
        for start in range(0, len(wanted), _ENTRIES_AT_ONCE):
            some = wanted[start : start + _ENTRIES_AT_ONCE]
            stored = store.stored(some.tolist())
            for row, vector in zip(*store.vectors(some), strict=True):
                if int(row) in stored:
                    _, key, text = stored[int(row)]
                    yield Entry(key, json.loads(text), vector)

    # The folder.

    def save(self) -> None:
        """Brings the log into the file of records."""
        with self._publishing:
            self._live.store.checkpoint()

    def close(self) -> None:
        """Waits for writes under way, and lets other processes write."""
        self._commits.close()
        with self._lock.alone():
            self._live.store.close()
        self._lock_file.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
