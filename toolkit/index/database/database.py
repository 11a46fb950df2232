"""The index in a folder: the interface over a store, a structure and their files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError
from toolkit.index.checking import check_ids, check_k
from toolkit.index.database.building import Wanted
from toolkit.index.database.changes import adding, removing, removing_where, replacing
from toolkit.index.database.copying import Embed
from toolkit.index.database.current import Current
from toolkit.index.database.group_commit import Change, GroupCommit, Written
from toolkit.index.database.live import unique_rows
from toolkit.index.database.rebuilding import (
    Floor,
    rebuild,
    reembed,
    roll_back,
    snapshot_of,
)
from toolkit.index.database.whitened import begin_whitening, remove_whitenings, whitening_file
from toolkit.index.filters import to_sql
from toolkit.index.hits import hits_of
from toolkit.index.interface import Entry, Filter, Hit, IndexFacts, Record, VectorIndex
from toolkit.index.kinds.making import check_kind
from toolkit.index.similarity import Similarity
from toolkit.index.whitening import Whitening

_ENTRIES_AT_ONCE = 1024


class Database(VectorIndex):
    """An index in a folder. Open one with `create_index` or `open_index`.

    Args:
        folder: holds an index.
        lock: the open lock file that keeps other writers out; None to read only, and to follow what
            the process that writes does.
    """

    def __init__(self, folder: Path, lock: BinaryIO | None) -> None:
        self.folder, self._lock_file = folder, lock
        self._current = Current(folder)
        self._commits: GroupCommit | None = None
        if lock is not None:
            self._current.tidy()
            generations = self._current.header.generations
            remove_whitenings(folder, [generation.fingerprint for generation in generations])
            self._commits = GroupCommit(lambda: self._current.live.store, self._current.commit)
        self._rebuilding = Lock()

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        generation = self._current.header.live
        return IndexFacts(
            generation.dimension,
            generation.metric,
            generation.kind,
            generation.fingerprint,
            self._current.live.rows.count,
            generation.measured.get("recall@10"),
        )

    @property
    def options(self) -> Mapping[str, int]:
        """The options of the structure, those that were tuned among them."""
        return dict(self._current.header.live.options)

    @property
    def whitening(self) -> Whitening | None:
        """What changes vectors before they are written or searched with; None: nothing does."""
        name = whitening_file(self._current.header.live.fingerprint)
        return None if name is None else Whitening.read(self.folder / name)

    # Writing.

    def add(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records, all or none; see `VectorIndex.add`."""
        self._write(lambda similarity: adding(similarity, ids, vectors, records))

    def upsert(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records and replaces those that are there; see `VectorIndex.upsert`."""
        self._write(lambda similarity: replacing(similarity, ids, vectors, records))

    def remove(self, ids: Sequence[str]) -> int:
        """Removes records and returns how many of the ids were there."""
        return len(self._write(lambda similarity: removing(similarity, ids)).removed)

    def remove_where(self, where: Filter) -> int:
        """Removes the records that a filter keeps and returns how many they were."""
        return len(self._write(lambda similarity: removing_where(similarity, where)).removed)

    def _write(self, make: Callable[[Similarity], Change]) -> Written:
        self._current.check_usable()
        live = self._current.live
        return self._writer().write(make(live.similarity), live.store)

    def _writer(self) -> GroupCommit:
        if self._commits is None:
            raise VectorIndexError(f"{self.folder} is open read-only; open it for writing.")
        return self._commits

    def _serving(self) -> Current:
        """Returns what is served now, with what another process wrote."""
        self._current.check_usable()
        if self._commits is None:
            self._current.follow()
        return self._current

    # Reading.

    def get(self, ids: Sequence[str]) -> list[Entry | None]:
        """Returns the record of each id; None for one that is not there."""
        check_ids(ids)
        store = self._serving().live.store
        stored = store.stored_ids(ids)
        rows, vectors = store.vectors(np.array(sorted(row for row, *_ in stored)))
        at = {int(row): number for number, row in enumerate(rows)}
        found = {
            key: Entry.read(key, text, vectors[at[row]]) for row, key, text in stored if row in at
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
        check_k(k)
        # A record may go between the search and the reading of it; while nobody commits, none does.
        current = self._serving()
        for waiting in (nullcontext(), current.publishing):
            with waiting, current.lock.shared():
                live = current.live
                ready = live.similarity.prepare(queries, "query")
                closeness, rows = live.nearest(ready, k, where)
                wanted = unique_rows(rows)
                records = live.store.records(wanted)
            if len(records) == len(wanted):
                break
        return hits_of(live.similarity, closeness, rows, records, threshold)

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records there are, or how many a filter keeps."""
        current = self._serving()
        with current.lock.shared():
            live = current.live
            return live.kept(where) if where else live.rows.count

    def entries(self, where: Filter | None = None) -> Iterator[Entry]:
        """Yields every record that a filter keeps, in the order of writing."""
        to_sql(where or {})
        store = self._serving().live.store
        wanted = store.rows(where=where)
        for start in range(0, len(wanted), _ENTRIES_AT_ONCE):
            some = wanted[start : start + _ENTRIES_AT_ONCE]
            records = store.records(some.tolist())
            for row, vector in zip(*store.vectors(some), strict=True):
                if int(row) in records:
                    yield Entry(*records[int(row)], vector)

    # Other structures, other models.

    def rebuild(
        self,
        kind: str,
        options: Mapping[str, int] | None = None,
        *,
        recall: float = 0.95,
        min_recall: float = 0.0,
        plan: str = "",
        seed: int = 0,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Builds another structure and serves it, while searches and writes go on.

        Args:
            kind: as for `create_index`.
            options: of the kind; what is not given suits the number of vectors.
            recall: at 10 that the effort of searches is raised for.
            min_recall: at 10 below which the old structure goes on serving.
            plan: why it is of this kind, for whoever reads the header.
            seed: of the sample that it learns from and is measured with.
            advance: is told how many more vectors are in.

        Raises:
            RecallTooLowError: it finds less than `min_recall`.
            VectorIndexError: there is no such kind for these vectors.
        """
        check_kind(kind, self._current.live.similarity, options)
        self._writer()
        wanted, floor = Wanted(kind, options or {}, recall), Floor(min_recall, plan)
        with self._rebuilding:
            rebuild(self._current, wanted, floor, np.random.default_rng(seed), advance)

    def reembed(
        self,
        embed: Embed,
        *,
        dimension: int,
        fingerprint: str,
        seed: int = 0,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Computes every vector anew with another model and serves them, while the old ones serve.

        Args:
            embed: computes the vectors of some entries: float [n, dimension].
            dimension: of the new vectors.
            fingerprint: of the new model and its preprocessing.
            seed: of the sample that the structure learns from.
            advance: is told how many more records are done.
        """
        self._writer()
        before = self._current.header.live
        model = replace(before, dimension=dimension, fingerprint=fingerprint)
        Similarity.named(model.metric, dimension)
        with self._rebuilding:
            reembed(self._current, embed, model, np.random.default_rng(seed), advance)

    def whiten(
        self, dimension: int, *, seed: int = 0, advance: Callable[[int], None] = lambda _: None
    ) -> None:
        """Learns a whitening from the vectors and changes them all; later ones are the caller's.

        Args:
            dimension: numbers that a vector has afterwards.
            seed: of the sample that it is learned from.
            advance: is told how many more records are done.

        Raises:
            VectorIndexError: the vectors are whitened already, are not compared by cosine, are too
                few, or have fewer numbers.
        """
        self._writer()
        header, store = self._current.header, self._current.live.store
        named, embed = begin_whitening(self.folder, header.live, store, dimension, seed)
        self.reembed(embed, dimension=dimension, fingerprint=named, seed=seed, advance=advance)

    def roll_back(self, *, discard: bool = False) -> None:
        """Serves what served before the last rebuild or re-embedding; once more goes forth again.

        Args:
            discard: lose what was written since another model serves.

        Raises:
            VectorIndexError: there is nothing before, or something would be lost.
        """
        self._writer()
        with self._rebuilding:
            roll_back(self._current, discard=discard)

    # The folder.

    def save(self) -> None:
        """Writes the structure as it is now, and brings the log into the file of records."""
        self._writer()
        with self._rebuilding, self._current.publishing:
            current, live = self._current, self._current.live
            generation = current.header.live
            snapshot = generation.snapshot
            if snapshot is None or snapshot.sequence != live.rows.last:
                snapshot = snapshot_of(current, generation, live)
                current.describe(replace(generation, snapshot=snapshot))
            live.store.checkpoint()

    def close(self) -> None:
        """Waits for writes under way, and lets other processes write."""
        if self._commits is not None:
            self._commits.close()
        self._current.close()
        if self._lock_file is not None:
            self._lock_file.close()
