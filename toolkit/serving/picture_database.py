"""One database: vectors, records and kept pictures; safe on the disk when a call ends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from toolkit.errors import RecordExistsError
from toolkit.index.database.opening import open_index
from toolkit.index.interface import Entry, Filter, Hit, IndexFacts
from toolkit.serving.database_folder import IMAGES, INDEX, read_feature
from toolkit.serving.embedding import Vector
from toolkit.serving.free_disk import check_free
from toolkit.serving.in_use import InUse
from toolkit.serving.kept_pictures import KeptPictures
from toolkit.serving.numbering import Numbers
from toolkit.serving.picture_records import PictureRecord, record_key, record_of
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.room import Room

_TRIES = 100
# Neighbours asked for a group that is wanted; a group has a few pictures.
_HITS_A_GROUP = 4
_EVERY: Filter = {"not": {"group_id": None}}


class PictureDatabase:
    """An open database. Threads may share it.

    Args:
        folder: holds a database.
        fingerprint: of the model that is being served.
        max_records: records that it may hold; None for any number.

    Raises:
        VectorIndexError: the folder is damaged, of another model, or in use.
    """

    def __init__(self, folder: Path, fingerprint: str, max_records: int | None = None) -> None:
        self.folder = folder
        self.feature = read_feature(folder)
        self._index = open_index(folder / INDEX, fingerprint=fingerprint)
        self._numbers = Numbers(self._index)
        self._pictures = KeptPictures(
            folder / IMAGES, lambda name: self._index.count({"savename": name}) > 0
        )
        self._use = InUse(folder.name)
        self._room = Room(folder.name, max_records, lambda: self._index.facts.count)

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        return self._index.facts

    # Writing.

    def put(self, vector: Vector, record: PictureRecord, picture: bytes | None = None) -> bool:
        """Adds a picture, or puts it in the place of the one with its key.

        Args:
            vector: of the picture.
            record: its key, and what is kept beside it.
            picture: bytes that are kept under the record's savename; None keeps none.

        Returns:
            True when the picture is new.

        Raises:
            Problem: there is no room.
            ToolkitError: it cannot be written.
        """
        with self._use.using():
            before = self._index.get([record.key])[0]
            with self._room.taken(0 if before else 1), self._keeping([record], [picture]):
                self._index.upsert([record.key], vector[None], [record.kept()])
            self._numbers.written(record.group_id, record.intra_id)
            if before is not None and (name := record_of(before.record).savename) is not None:
                self._pictures.drop([name])
        return before is None

    def append(
        self,
        vectors: Sequence[Vector],
        records: Sequence[PictureRecord],
        pictures: Sequence[bytes | None] | None = None,
        *,
        over_groups: bool = False,
    ) -> list[PictureRecord]:
        """Adds pictures, all or none, under the next numbers of their groups.

        Args:
            vectors: of the pictures.
            records: their numbers are not looked at.
            pictures: bytes of each that are kept under its savename.
            over_groups: count over all groups, so that a number alone names a picture.

        Returns:
            The records with their numbers.

        Raises:
            Problem: there is no room.
            ToolkitError: they cannot be written.
        """
        with (
            self._use.using(),
            self._room.taken(len(records)),
            self._keeping(records, pictures or [None] * len(records)),
        ):
            for _ in range(_TRIES):
                numbered = self._numbered(records, over_groups=over_groups)
                try:
                    self._index.add(
                        [record.key for record in numbered],
                        np.stack(vectors),
                        [record.kept() for record in numbered],
                    )
                except RecordExistsError:
                    self._numbers.forget()  # somebody took one by name
                    continue
                return numbered
        raise Problem(Kind.BUSY, "Others take every number first; try again.", retry_after=1)

    def remove_where(self, where: Filter) -> int:
        """Removes what a filter keeps, with the kept pictures that no other record names.

        Returns:
            How many records that were.
        """
        with self._use.using():
            kept = {record_of(entry.record).savename for entry in self._index.entries(where)}
            count = self._index.remove_where(where or _EVERY)
            self._numbers.forget()
            self._room.given_back(count)
            self._pictures.drop(kept - {None})  # type: ignore[arg-type]
            return count

    # Reading.

    def get(self, group_id: str, intra_id: int) -> Entry | None:
        """Returns a record; None when there is none."""
        with self._use.using():
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
        with self._use.using():
            stop = None if limit is None else offset + limit
            return list(islice(self._index.entries(where), offset, stop))

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records a filter keeps."""
        with self._use.using():
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
        with self._use.using():
            if by_group:
                return self._search_groups(vector, k, where, threshold)
            return self._index.search(vector[None], k, where=where, threshold=threshold)[0]

    def _search_groups(
        self, vector: Vector, k: int, where: Filter | None, threshold: float | None
    ) -> list[Hit]:
        """Searches again without the groups that were found until there are k of them."""
        best: dict[str, Hit] = {}
        while len(best) < k:
            others = {"any": [where or {}], "not": {"group_id": list(best)}}
            asked = (k - len(best)) * _HITS_A_GROUP
            hits = self._index.search(vector[None], asked, where=others, threshold=threshold)[0]
            for hit in hits:
                best.setdefault(hit.record["group_id"], hit)
            if len(hits) < asked:
                break
        return list(best.values())[:k]

    def picture(self, savename: str) -> bytes | None:
        """Returns a kept picture; None when there is none of that name."""
        with self._use.using():
            return self._pictures.read(savename)

    # The folder.

    def save(self) -> None:
        """Makes the next opening quick; nothing is lost without it."""
        with self._use.using():
            self._index.save()

    def close(self) -> None:
        """Waits for who is reading or writing, and lets nobody in."""
        self._use.close()
        self._index.close()

    @contextmanager
    def _keeping(
        self, records: Sequence[PictureRecord], pictures: Sequence[bytes | None]
    ) -> Iterator[None]:
        """Keeps pictures beside the records that the block writes, where there is room for both."""
        files = {
            record.savename: picture
            for record, picture in zip(records, pictures, strict=True)
            if record.savename is not None and picture is not None
        }
        check_free(self.folder, sum(map(len, files.values())))
        with self._pictures.keeping(files):
            yield

    def _numbered(
        self, records: Sequence[PictureRecord], *, over_groups: bool
    ) -> list[PictureRecord]:
        if over_groups:
            numbers = self._numbers.take(None, len(records))
            return [
                replace(record, intra_id=number)
                for record, number in zip(records, numbers, strict=True)
            ]
        return [
            replace(record, intra_id=self._numbers.take(record.group_id, 1)[0])
            for record in records
        ]
