"""A table of the same kind as the input: reserved columns, then the result as a JSON text."""

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toolkit.errors import ConfigError, import_optional
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.csv_table import CsvTable
from toolkit.extraction.readers.parquet_table import ParquetTable
from toolkit.extraction.readers.sqlite_table import SqliteTable, quoted
from toolkit.extraction.records import Piece
from toolkit.extraction.rows import Row, Shape
from toolkit.extraction.writers.text import feature_json, feature_of
from toolkit.extraction.writers.writer import AddRow

_BLOCK = 256


@dataclass(frozen=True)
class CsvTableWriter:
    """A table for a `CsvTable`."""

    table: CsvTable
    result: str

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        kept = self.table.kept()
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, delimiter=self.table.delimiter, lineterminator="\n")
            out.writerow([*kept, self.result])

            def add(row: Row) -> None:
                out.writerow(_values(row, kept))

            yield add

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        return _read_back(CsvTable(path, Columns(image=self.result)))


@dataclass(frozen=True)
class JsonTableWriter:
    """A table for JSON lines."""

    result: str

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        with path.open("w", encoding="ascii", newline="\n") as file:

            def add(row: Row) -> None:
                check_free(self.result, list(row.record.carried))
                line = {**row.record.carried, self.result: feature_json(row.feature)}
                file.write(json.dumps(line) + "\n")

            yield add

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield feature_of(json.loads(json.loads(line)[self.result]))


@dataclass(frozen=True)
class SqliteTableWriter:
    """A table for a `SqliteTable`, of the same name and with the same types."""

    table: SqliteTable
    result: str

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        name, types = self.table.schema()
        kept = self.table.kept()
        columns = [f"{quoted(column)} {types[column]}" for column in kept]
        columns.append(f"{quoted(self.result)} TEXT")
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {quoted(name)} VALUES ({marks})"  # noqa: S608 - quoted
        database = sqlite3.connect(path, isolation_level=None)
        try:
            # The file gets its name when it is whole, so a journal would be for nothing.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute(f"CREATE TABLE {quoted(name)} ({', '.join(columns)})")
            database.execute("BEGIN")

            def add(row: Row) -> None:
                database.execute(insert, _values(row, kept))

            yield add
            database.execute("COMMIT")
        finally:
            database.close()

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        return _read_back(SqliteTable(path, Columns(image=self.result)))


@dataclass(frozen=True)
class ParquetTableWriter:
    """A table for a `ParquetTable`, with the same types."""

    table: ParquetTable
    result: str

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        arrow = import_optional("pyarrow", purpose="Writing Parquet")
        parquet = import_optional("pyarrow.parquet", purpose="Writing Parquet")
        with self.table.open() as file:
            given = file.schema_arrow
        kept = self.table.kept()
        schema = arrow.schema([*map(given.field, kept), arrow.field(self.result, arrow.string())])
        block: list[dict[str, Any]] = []
        with parquet.ParquetWriter(path, schema) as out:

            def flush() -> None:
                out.write_table(arrow.Table.from_pylist(block, schema=schema))
                block.clear()

            def add(row: Row) -> None:
                block.append(dict(zip(schema.names, _values(row, kept), strict=True)))
                if len(block) == _BLOCK:
                    flush()

            yield add
            if block:
                flush()

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        return _read_back(ParquetTable(path, Columns(image=self.result)))


def check_free(result: str, columns: list[str]) -> None:
    """Refuses a name for the result that a copied column has.

    Raises:
        ConfigError: it has.
    """
    if result in columns:
        raise ConfigError(
            f"Extract.result_column is {result!r}, which is also a column that is copied. Give it "
            "another name; what has been computed is kept."
        )


def _values(row: Row, kept: list[str]) -> list[Any]:
    return [*(row.record.carried.get(name) for name in kept), feature_json(row.feature)]


def _read_back(
    table: CsvTable | SqliteTable | ParquetTable,
) -> Iterator[NDArray[Any] | None]:
    """Reads a table that was written here; its result column stands for the picture's."""
    scan = table.scan(1 << 62)
    for place in scan.places:
        for record in table.read(Piece(0, 0, scan.count, place)):
            yield feature_of(json.loads(record.content))  # type: ignore[arg-type]
