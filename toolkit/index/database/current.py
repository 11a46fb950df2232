"""What an open folder serves at the moment, and the one way to change it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import TypeVar

import numpy as np

from toolkit.errors import VectorIndexError
from toolkit.index.database.building import Wanted, build
from toolkit.index.database.copy_store import CopyStore
from toolkit.index.database.group_commit import Written
from toolkit.index.database.header import (
    Generation,
    Header,
    read_header,
    records_name,
    write_header,
)
from toolkit.index.database.live import Live
from toolkit.index.database.record_store import RecordStore
from toolkit.index.database.shared_lock import SharedLock
from toolkit.index.database.snapshot import read_snapshot
from toolkit.index.kinds.making import exact_structure
from toolkit.index.similarity import Similarity

_LOG = logging.getLogger(__name__)
_Store = TypeVar("_Store", bound=RecordStore)


class Current:
    """The header of a folder and what is searched.

    Attributes:
        folder: of the index.
        header: as it is on the disk.
        live: what is searched; read it once a call, another generation may take its place.
        lock: shared by searches.
        publishing: held from a commit until it can be found, and while generations switch.

    Args:
        folder: holds an index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.header = folder, read_header(folder)
        self.lock, self.publishing = SharedLock(), Lock()
        self._failure: BaseException | None = None
        self._stores: dict[str, RecordStore] = {}
        self.live = self.opened(self.header.live)
        self._version = self.live.store.version()

    def store_of(self, generation: Generation) -> RecordStore:
        """Returns the open store of a generation.

        Raises:
            VectorIndexError: the file is not there.
        """
        if generation.records not in self._stores:
            file = self.folder / generation.records
            if not file.is_file():
                raise VectorIndexError(
                    f"{file} is not there; it holds the records of this index. Put back a copy of "
                    "the whole folder."
                )
            self._stores[generation.records] = self._opened_store(generation, RecordStore)
        return self._stores[generation.records]

    def copy_store(self, generation: Generation) -> CopyStore:
        """Returns the store of a generation to be; what was written to it before is still there."""
        store = self._stores.get(generation.records)
        if not isinstance(store, CopyStore):
            store = self._opened_store(generation, CopyStore)
            self._stores[generation.records] = store
        return store

    def _opened_store(self, generation: Generation, kind: type[_Store]) -> _Store:
        similarity = Similarity(generation.metric, generation.dimension)
        file = self.folder / generation.records
        return kind(file, similarity.dtype, similarity.width, self.header.fields)

    def discard(self, records: str) -> None:
        """Removes a file of records that nobody serves."""
        if records in self._stores:
            self._stores.pop(records).close()
        for end in ("", "-wal", "-shm"):
            (self.folder / (records + end)).unlink(missing_ok=True)

    def opened(self, generation: Generation) -> Live:
        """Returns what a generation serves, brought up to date with its records."""
        similarity = Similarity(generation.metric, generation.dimension)
        store = self.store_of(generation)
        if generation.snapshot is not None:
            try:
                return read_snapshot(self.folder, generation, store, similarity)
            except VectorIndexError as error:
                _LOG.warning("%s It is made anew from the records, which are whole.", error)
                wanted = Wanted(generation.kind, generation.options, recall=0)
                return build(store, similarity, wanted, np.random.default_rng(0)).live
        live = Live(store, similarity, exact_structure(similarity))
        live.catch_up()
        return live

    def commit(self, write: Callable[[], Sequence[Written]]) -> None:
        """Runs what writes and commits, and makes what it wrote findable.

        Of a large write piece by piece: searches get in between.
        """
        with self.publishing:
            written = write()
            try:
                for one in written:
                    for piece in one.pieces():
                        with self.lock.alone():
                            self.live.publish(piece)
            except BaseException as error:
                self._failure = error
                raise

    def check_usable(self) -> None:
        """Checks that searches find all that was committed.

        Raises:
            VectorIndexError: they do not.
        """
        if self._failure is not None:
            raise VectorIndexError(
                f"{self.folder}: a write is safe on the disk and could not be made findable "
                f"({self._failure}). Open the index again."
            ) from self._failure

    def switch(self, header: Header, live: Live) -> None:
        """Serves another generation from now on; the caller holds `publishing`.

        The header on the disk is replaced first: a process that dies here opens one or the other.
        """
        write_header(self.folder, header)
        self.live.store.mark(header.live.number)
        with self.lock.alone():
            self.header, self.live = header, live
        self.tidy()

    def follow(self) -> None:
        """Takes over what another process wrote since the last time."""
        with self.publishing:
            version = self.live.store.version()
            if version == self._version:
                return
            header = read_header(self.folder)
            if header.live.number != self.header.live.number:
                self.header, live = header, self.opened(header.live)
                with self.lock.alone():
                    self.live = live
                version = live.store.version()
            else:
                for change in self.live.changes():
                    with self.lock.alone():
                        self.live.publish(change)
            self._version = version

    def describe(self, generation: Generation) -> None:
        """Replaces the facts of the live generation; the caller holds `publishing`."""
        self.header = replace(self.header, live=generation)
        write_header(self.folder, self.header)
        self.tidy()

    def tidy(self) -> None:
        """Removes files that no generation names; a copy for the next one is gone on with."""
        generations = self.header.generations
        kept = {g.snapshot.folder for g in generations if g.snapshot is not None}
        for folder in self.folder.glob("structure-*"):
            if folder.name not in kept:
                rmtree(folder, ignore_errors=True)
        records = {g.records for g in generations} | {records_name(self.header.next_number)}
        for file in self.folder.glob("records-*.sqlite*"):
            name = file.name.removesuffix("-wal").removesuffix("-shm")
            if name not in records and name not in self._stores:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the files, when no search runs."""
        with self.lock.alone():
            for store in self._stores.values():
                store.close()
