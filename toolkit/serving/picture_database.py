"""One database: vectors, records and kept pictures in a folder; safe on the disk when a call ends.

<name>/database.json    format, name of the feature
<name>/index/           see toolkit.index
<name>/images/          kept pictures, by savename
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Condition, Lock
from typing import Any

from toolkit.errors import RecordExistsError, VectorIndexError
from toolkit.index.database.opening import create_index, open_index
from toolkit.index.interface import Entry, Filter, Hit, IndexFacts
from toolkit.serving.embedding import Vector
from toolkit.serving.names import relative_path
from toolkit.serving.picture_records import FIELDS, PictureRecord, record_key, record_of
from toolkit.serving.problems import Kind, Problem
from toolkit.storage import atomic_directory, read_json, sync_folder, write_bytes, write_json

_FILE, _INDEX, _IMAGES = "database.json", "index", "images"
_FORMAT = 1
_TRIES = 100
# Neighbours asked for a group that is wanted; a group has a few pictures.
_HITS_A_GROUP = 4


class PictureDatabase:
    """An open database.

    Args:
        folder: holds a database.
        fingerprint: of the model that is being served.
        max_records: records that it may hold; None for any number.

    Raises:
        VectorIndexError: the folder is damaged, of another model, or in use.
    """

    def __init__(self, folder: Path, fingerprint: str, max_records: int | None = None) -> None:
        self.folder, self.max_records = folder, max_records
        self.feature = _read_feature(folder / _FILE)
        self._index = open_index(folder / _INDEX, fingerprint=fingerprint)
        self._writing, self._pending = Lock(), 0
        self._next_intra: dict[str | None, int] = {}
        self._users, self._closed = Condition(), False
        self._num_users = 0

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        return self._index.facts

    # Writing.

    def put(
        self,
        vector: Vector,
        record: PictureRecord,
        picture: bytes | None = None,
        *,
        replace: bool = True,
    ) -> bool:
        """Adds a picture, or puts it in the place of the one with its key.

        Args:
            vector: of the picture.
            record: its key, and what is kept beside it.
            picture: bytes that are kept under the record's savename; None keeps none.
            replace: False refuses a key that is taken.

        Returns:
            True when the picture is new.

        Raises:
            Problem: there is no room, or the key is taken.
            ToolkitError: it cannot be written.
        """
        with self._room(record):
            is_new = self._index.get([record.key]) == [None]
            with self._kept(record.savename, picture):
                write = self._index.upsert if replace else self._index.add
                write([record.key], vector[None], [record.to_json()])
            self._count_from(record.group_id, record.intra_id + 1)
        return is_new

    def append(
        self,
        vector: Vector,
        record: PictureRecord,
        picture: bytes | None = None,
        *,
        over_groups: bool = False,
    ) -> PictureRecord:
        """Adds a picture under the next number of its group.

        Args:
            vector: of the picture.
            record: its intra_id is not looked at.
            picture: see `put`.
            over_groups: count over all groups, so that the number alone names the picture.

        Returns:
            The record with its number.

        Raises:
            Problem: see `put`.
        """
        for _ in range(_TRIES):
            number = self._take_number(None if over_groups else record.group_id)
            numbered = PictureRecord(record.group_id, number, record.savename, record.data)
            try:
                self.put(vector, numbered, picture, replace=False)
            except RecordExistsError:
                continue  # somebody took it by name
            return numbered
        raise Problem(Kind.BUSY, f"Others write to {record.group_id!r} too quickly; try again.")

    def remove_where(self, where: Filter) -> int:
        """Removes what a filter keeps, with the kept pictures that no other record names."""
        with self._using():
            names = {record_of(entry.record).savename for entry in self._index.entries(where)}
            count = self._index.remove_where(where) if where else self._clean()
            with self._writing:
                self._next_intra.clear()
            for name in names - {None}:
                self._drop(str(name))
            return count

    def _clean(self) -> int:
        return self._index.remove_where({"not": {"group_id": None}})

    # Reading.

    def get(self, group_id: str, intra_id: int) -> Entry | None:
        """Returns a record; None when there is none."""
        with self._using():
            return self._index.get([record_key(group_id, intra_id)])[0]

    def entries(
        self, where: Filter | None = None, offset: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """Returns records in the order of writing.

        Args:
            where: which.
            offset: how many are passed over.
            limit: how many at most; None for all.

        Raises:
            VectorIndexError: the filter is malformed.
        """
        with self._using():
            stop = None if limit is None else offset + limit
            return list(islice(self._index.entries(where), offset, stop))

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records a filter keeps."""
        with self._using():
            return self._index.count(where)

    def search(
        self,
        vector: Vector,
        k: int,
        *,
        where: Filter | None = None,
        threshold: float | None = None,
        by_group: bool = False,
    ) -> list[Hit]:
        """Returns the nearest pictures, or with `by_group` the nearest one of each group.

        Raises:
            VectorIndexError: the vector or the filter does not fit.
        """
        with self._using():
            if by_group:
                return self._search_groups(vector, k, where, threshold)
            return self._index.search(vector[None], k, where=where, threshold=threshold)[0]

    def _search_groups(
        self, vector: Vector, k: int, where: Filter | None, threshold: float | None
    ) -> list[Hit]:
        """Searches again without the groups that were found until there are k of them."""
        best: dict[str, Hit] = {}
        while len(best) < k:
            others = {"any": [where or {}]} | ({"not": {"group_id": list(best)}} if best else {})
            asked = (k - len(best)) * _HITS_A_GROUP
            hits = self._index.search(vector[None], asked, where=others, threshold=threshold)[0]
            for hit in hits:
                best.setdefault(hit.record["group_id"], hit)
            if len(hits) < asked:
                break
        return list(best.values())[:k]

    def picture(self, savename: str) -> bytes | None:
        """Returns a kept picture; None when there is none of that name."""
        file = self.folder / _IMAGES / relative_path(savename, "savename")
        return file.read_bytes() if file.is_file() else None

    # The folder.

    def save(self) -> None:
        """Makes the next opening quick; nothing is lost without it."""
        with self._using():
            self._index.save()

    def close(self) -> None:
        """Waits for who is reading or writing, and lets nobody in."""
        with self._users:
            self._closed = True
            self._users.wait_for(lambda: not self._num_users)
        self._index.close()

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._users:
            if self._closed:
                raise Problem(Kind.NO_DATABASE, f"The database {self.folder.name!r} is closed.")
            self._num_users += 1
        try:
            yield
        finally:
            with self._users:
                self._num_users -= 1
                self._users.notify_all()

    @contextmanager
    def _room(self, record: PictureRecord) -> Iterator[None]:
        """Keeps room for one more record while the block runs."""
        with self._using():
            with self._writing:
                is_full = (
                    self.max_records is not None
                    and self._index.facts.count + self._pending >= self.max_records
                )
                if is_full and self._index.get([record.key]) == [None]:
                    raise Problem(
                        Kind.QUOTA,
                        f"The database {self.folder.name!r} holds {self.max_records:,} records, "
                        "which is its limit. Delete some, or use another database.",
                    )
                self._pending += 1
            try:
                yield
            finally:
                with self._writing:
                    self._pending -= 1

    def _take_number(self, group_id: str | None) -> int:
        with self._writing:
            if group_id not in self._next_intra:
                where = None if group_id is None else {"group_id": group_id}
                numbers = (entry.record["intra_id"] for entry in self._index.entries(where))
                self._next_intra[group_id] = max(numbers, default=-1) + 1
            number = self._next_intra[group_id]
            self._next_intra[group_id] = number + 1
            return number

    def _count_from(self, group_id: str, number: int) -> None:
        with self._writing:
            for counted in (group_id, None):
                if counted in self._next_intra:
                    self._next_intra[counted] = max(self._next_intra[counted], number)

    @contextmanager
    def _kept(self, savename: str | None, picture: bytes | None) -> Iterator[None]:
        """Keeps a picture before its record is written: an acknowledged record has its picture."""
        if savename is None or picture is None:
            yield
            return
        file = self.folder / _IMAGES / relative_path(savename, "savename")
        write_bytes(file, picture)
        sync_folder(file.parent)
        try:
            yield
        except BaseException:
            self._drop(savename)
            raise

    def _drop(self, savename: str) -> None:
        if self._index.count({"savename": savename}) == 0:
            (self.folder / _IMAGES / savename).unlink(missing_ok=True)


def create_database(
    folder: Path, *, dimension: int, metric: str, kind: str, feature: str, fingerprint: str
) -> None:
    """Makes an empty database; it is there as a whole or not at all.

    Raises:
        VectorIndexError: there is no such metric or kind.
        StorageError: the disk is full.
    """
    with atomic_directory(folder) as temporary:
        create_index(
            temporary / _INDEX,
            dimension=dimension,
            metric=metric,
            kind=kind,
            fingerprint=fingerprint,
            fields=FIELDS,
        ).close()
        (temporary / _IMAGES).mkdir()
        write_json(temporary / _FILE, {"format_version": _FORMAT, "feature": feature})
        sync_folder(temporary)
    sync_folder(folder.parent)


def is_database(folder: Path) -> bool:
    """Tells whether a folder holds a database."""
    return (folder / _FILE).is_file()


def _read_feature(file: Path) -> str:
    try:
        said: Any = read_json(file)
        if said["format_version"] == _FORMAT and isinstance(said["feature"], str):
            return str(said["feature"])
        reason = f"format {said['format_version']}, expected {_FORMAT}"
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise VectorIndexError(f"{file} cannot be used ({reason}). Put back a copy of its folder.")
