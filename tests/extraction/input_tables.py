"""Small tables of every kind that extraction reads."""

import csv
import json
import sqlite3
from pathlib import Path

import pytest


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
    return path


def write_sqlite(path: Path, rows: list[dict[str, str]]) -> Path:
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE shop ({', '.join(f'{key} TEXT' for key in rows[0])})")
        marks = ", ".join("?" * len(rows[0]))
        values = [tuple(row.values()) for row in rows]
        database.executemany(f"INSERT INTO shop VALUES ({marks})", values)  # noqa: S608
    database.close()
    return path


def write_parquet(path: Path, rows: list[dict[str, str]]) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(rows), path, row_group_size=3)
    return path


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


TABLES = {
    ".csv": write_csv,
    ".sqlite": write_sqlite,
    ".parquet": write_parquet,
    ".jsonl": write_jsonl,
}
