"""Ids, records and vectors in one SQLite file: what is true whatever happens to the rest.

Every record that is written gets the next row number, also one that replaces another. So row
numbers are the order of writing, what stands in a row never changes, and a structure that knows the
rows up to one number is brought up to date with the rows behind it.

The file is in WAL mode with synchronous=FULL: a commit returns when its pages are on the disk, and
one that was cut off is found by its checksums and rolled back at the next opening.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import StorageError, VectorIndexError
from toolkit.index.filters import field_expression, to_sql
from toolkit.index.interface import Filter, Record

# A page holds seven vectors of 512 numbers with little left over.
_PAGE_BYTES = 16384
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records(row INTEGER PRIMARY KEY AUTOINCREMENT, "
    "id TEXT NOT NULL UNIQUE, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS vectors(row INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
)
_ROWS_AT_ONCE = 4096
_HITS_AT_ONCE = 512
_TOGETHER = "group_concat(row), json_group_array(id), group_concat(record)"

Stored = tuple[int, str, str]
"""Row, id and the record as JSON."""

# What SQLite says (sqlite3_errstr), and its name for it.
_TEXTS = {
    "disk is full": "SQLITE_FULL",
    "disk I/O error": "SQLITE_IOERR",
    "readonly database": "SQLITE_READONLY",
    "unable to open": "SQLITE_CANTOPEN",
    "not a database": "SQLITE_NOTADB",
    "malformed": "SQLITE_CORRUPT",
}


class RecordStore:
    """One SQLite file. Any thread may read; `write` is for one at a time.

    Args:
        file: made where it is not there.
        dtype: of the numbers of a vector.
        width: numbers of a vector.
        fields: fields of the records that filters often ask for; each gets an index.
    """

    def __init__(
        self, file: Path, dtype: np.dtype[Any], width: int, fields: Sequence[str] = ()
    ) -> None:
        self.file, self._dtype, self._width = file, dtype, width
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._opened = list[sqlite3.Connection]()
        with _said(file):
            self._writer = self._connect()
            for statement in _SCHEMA:
                self._writer.execute(statement)
            for field in fields:
                name = field.replace('"', "")
                self._writer.execute(
                    f'CREATE INDEX IF NOT EXISTS "by {name}" ON records({field_expression(field)})'
                )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
        self._opened.append(connection)
        for pragma in (
            f"page_size={_PAGE_BYTES}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "fullfsync=ON",
            "cache_size=-16384",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def close(self) -> None:
        """Closes the file; SQLite brings the log into it."""
        for connection in self._opened:
            connection.close()

    # Writing: inside `transaction`, by one thread.

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits what the block wrote, or takes all of it back.

        Raises:
            StorageError: the disk is full or refuses; nothing was written.
        """
        with _said(self.file):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Takes back what the block wrote where it raises, and leaves the transaction open."""
        self._writer.execute("SAVEPOINT change")
        try:
            yield
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK TO change")
                self._writer.execute("RELEASE change")
            raise
        self._writer.execute("RELEASE change")

    def next_row(self) -> int:
        """Returns the row that the next record gets."""
        found = self._writer.execute("SELECT seq FROM sqlite_sequence WHERE name='records'")
        return int((found.fetchone() or (0,))[0]) + 1

    def insert(
        self, start: int, ids: Sequence[str], texts: Sequence[str], vectors: NDArray[Any]
    ) -> None:
        """Writes records into the rows from `start` on."""
        rows = range(start, start + len(ids))
        self._writer.executemany(
            "INSERT INTO records VALUES (?, ?, ?)", zip(rows, ids, texts, strict=True)
        )
        self._writer.executemany(
            "INSERT INTO vectors VALUES (?, ?)",
            ((row, vector.tobytes()) for row, vector in zip(rows, vectors, strict=True)),
        )

    def delete(self, rows: Sequence[int]) -> None:
        """Removes rows."""
        numbers = [(row,) for row in rows]
        self._writer.executemany("DELETE FROM vectors WHERE row = ?", numbers)
        self._writer.executemany("DELETE FROM records WHERE row = ?", numbers)

    def rows_of_ids(self, ids: Sequence[str]) -> dict[str, int]:
        """Returns the rows of those ids that are there, as the open transaction sees them."""
        found = self._writer.execute(
            "SELECT id, row FROM records WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(ids)),),
        )
        return dict(found)

    def rows_where_now(self, where: Filter) -> list[int]:
        """Returns the rows that a filter keeps, as the open transaction sees them."""
        condition, values = to_sql(where)
        found = self._writer.execute(f"SELECT row FROM records WHERE {condition}", values)  # noqa: S608
        return [row for (row,) in found]

    def checkpoint(self) -> None:
        """Brings the log into the file."""
        with _said(self.file):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def mark(self, number: int) -> None:
        """Lets who only reads know that another generation serves."""
        with _said(self.file):
            self._writer.execute(f"PRAGMA user_version={number}")

    def version(self) -> int:
        """Returns a number that is another one after every write of another process."""
        with _said(self.file):
            return int(self._writer.execute("PRAGMA data_version").fetchone()[0])

    # Reading: from any thread, what was last committed.

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with _said(self.file):
            try:
                connection = self._readers.get_nowait()
            except Empty:
                connection = self._connect()
            try:
                yield connection
            finally:
                self._readers.put(connection)

    def count(self) -> int:
        """Returns how many records there are."""
        with self._reader() as reader:
            return int(reader.execute("SELECT count(*) FROM records").fetchone()[0])

    def rows(self, after: int = 0, where: Filter | None = None) -> NDArray[np.int64]:
        """Returns the rows behind `after` that a filter keeps, ascending."""
        condition, values = to_sql({} if where is None else where)
        with self._reader() as reader:
            found = reader.execute(
                f"SELECT row FROM records WHERE row > ? AND ({condition}) ORDER BY row",  # noqa: S608
                (after, *values),
            )
            return np.fromiter((row for (row,) in found), np.int64)

    def ids(self) -> Iterator[str]:
        """Yields all ids in the order of their characters."""
        with self._reader() as reader:
            for (key,) in reader.execute("SELECT id FROM records ORDER BY id"):
                yield key

    def records(self, rows: Sequence[int]) -> dict[int, tuple[str, Record]]:
        """Returns id and record of each row; those that are gone are left out."""
        found: dict[int, tuple[str, Record]] = {}
        with self._reader() as reader:
            for start in range(0, len(rows), _HITS_AT_ONCE):
                some = rows[start : start + _HITS_AT_ONCE]
                marks = ",".join("?" * len(some))
                # In one row: Python's lock is let go of once and not for every row, and one text is
                # parsed three times as fast as one for each record.
                numbers, ids, texts = reader.execute(
                    f"SELECT {_TOGETHER} FROM records WHERE row IN ({marks})",  # noqa: S608
                    some,
                ).fetchone()
                if numbers is not None:
                    records = zip(json.loads(ids), json.loads(f"[{texts}]"), strict=True)
                    found.update(zip(map(int, numbers.split(",")), records, strict=True))
        return found

    def stored_ids(self, ids: Sequence[str]) -> list[Stored]:
        """Returns what is stored under ids; those that are not there are left out."""
        with self._reader() as reader:
            return reader.execute(
                "SELECT row, id, record FROM records WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            ).fetchall()

    def vectors(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Returns the vectors of rows, ascending; those that are gone are left out.

        Args:
            rows: int64 [n], ascending.

        Returns:
            rows int64 [m] and vectors [m, w].
        """
        found, blobs = list[int](), list[bytes]()
        with self._reader() as reader:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[start : start + _ROWS_AT_ONCE].tolist()
                if some[-1] - some[0] + 1 == len(some):
                    pairs = reader.execute(
                        "SELECT row, vector FROM vectors WHERE row BETWEEN ? AND ?",
                        (some[0], some[-1]),
                    )
                else:
                    pairs = reader.execute(
                        "SELECT row, vector FROM vectors WHERE row IN "
                        "(SELECT value FROM json_each(?)) ORDER BY row",
                        (json.dumps(some),),
                    )
                for row, blob in pairs:
                    found.append(row)
                    blobs.append(blob)
        values = np.frombuffer(b"".join(blobs), self._dtype).reshape(len(blobs), self._width)
        return np.array(found, np.int64), values


@contextmanager
def _said(file: Path) -> Iterator[None]:
    """Turns what SQLite reports into errors for people."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = _name_of(error)
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise StorageError(
                f"{file}: {error}. Nothing of this write was kept, and nothing from before is "
                "lost; make room or give the rights, and write again."
            ) from error
        if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise VectorIndexError(
                f"{file} is damaged: {error}. Put back a copy, or build the index anew."
            ) from error
        raise


def _name_of(error: sqlite3.DatabaseError) -> str:
    """Returns SQLite's name of an error; empty for one that is not told apart here."""
    told: str | None = getattr(error, "sqlite_errorname", None)  # from Python 3.11 on
    if told is not None:
        return told
    return next((name for text, name in _TEXTS.items() if text in str(error)), "")
