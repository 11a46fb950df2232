"""A table of an SQLite file, in the order of its row ids."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import DatasetError, nearest
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.lines import changed_at, scan_places
from toolkit.extraction.records import Piece, Record, Scan


@dataclass(frozen=True)
class SqliteTable:
    """A table in a database file; it is never written to.

    Attributes:
        path: the file.
        columns: which mean what.
        table: its name; None takes the only one.
    """

    path: Path
    columns: Columns
    table: str | None = None

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        fingerprint = self.fingerprint()
        with self._open() as database:
            table = self.name(database)
            self.columns.check(list(self.types(database)), f"{self.path}, table {table}")
            rows = database.execute(f"SELECT rowid FROM {quoted(table)} ORDER BY rowid")  # noqa: S608
            return scan_places((row for (row,) in rows), fingerprint, shard_size)

    def fingerprint(self) -> str:
        """See `Reader`."""
        return changed_at(self.path)

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        with self._open() as database:
            names = list(self.types(database))
            wanted = ", ".join(map(quoted, names))
            query = (
                f"SELECT {wanted} FROM {quoted(self.name(database))} "  # noqa: S608 - quoted
                "WHERE rowid >= ? ORDER BY rowid LIMIT ?"
            )
            rows = database.execute(query, (piece.place, piece.count))
            for number, row in enumerate(rows, piece.start):
                yield self.columns.record(dict(zip(names, row, strict=True)), number)

    def kept(self) -> list[str]:
        """Returns the columns that are copied."""
        return self.columns.kept(list(self.schema()[1]))

    def schema(self) -> tuple[str, dict[str, str]]:
        """Returns the table's name, and the type of each column as it was declared."""
        with self._open() as database:
            return self.name(database), self.types(database)

    def name(self, database: sqlite3.Connection) -> str:
        """Returns the name of the table.

        Raises:
            DatasetError: it is not there, or there are several and none is named.
        """
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = [name for (name,) in database.execute(query)]
        known = ", ".join(names) or "none"
        if self.table is not None and self.table not in names:
            hint = nearest(self.table, names)
            raise DatasetError(f"{self.path} has no table {self.table!r}.{hint} Tables: {known}.")
        if self.table is None and len(names) != 1:
            raise DatasetError(f"{self.path}: which table? Give Extract.input_table: {known}.")
        return names[0] if self.table is None else self.table

    def types(self, database: sqlite3.Connection) -> dict[str, str]:
        """Returns column -> declared type."""
        query = f"PRAGMA table_info({quoted(self.name(database))})"
        return {name: kind for _, name, kind, *_ in database.execute(query)}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
            try:
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise DatasetError(f"{self.path}: the SQLite file cannot be read ({error}).") from error


def quoted(name: str) -> str:
    """Returns a name as SQL takes any."""
    return '"' + name.replace('"', '""') + '"'
