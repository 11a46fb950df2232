"""Readers: every row once and in order, wherever a shard ends. The oracles are the csv and json
modules over the whole file, and what was written."""

import csv
import io
import json
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.extraction.readers.annotations import Annotations, split_annotation
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.csv_table import CsvTable
from toolkit.extraction.readers.parquet_table import ParquetTable
from toolkit.extraction.readers.sqlite_table import SqliteTable
from toolkit.extraction.readers.text_list import TextList
from toolkit.extraction.records import Reader, Record, pieces_of

ALL = Columns(image="url", reserved=("ALL_COLUMNS",))
# No surrogates: they are not UTF-8. No zero: it is no text. Line breaks are the lists' own.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff"))
FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"))
SIZES = st.integers(1, 5)
quick = settings(max_examples=60, deadline=None)


def records(reader: Reader, shard_size: int) -> list[Record]:
    """Reads every shard by itself, the last one first."""
    pieces = pieces_of(reader.scan(shard_size), shard_size)
    found = {piece.number: list(reader.read(piece)) for piece in reversed(pieces)}
    assert [len(found[piece.number]) for piece in pieces] == [piece.count for piece in pieces]
    return [record for number in sorted(found) for record in found[number]]


def with_file(data: bytes, check: Callable[[Path], None], name: str = "x.txt") -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        check(Path(folder) / name)


@quick
@given(st.lists(TEXT), st.sampled_from(["\n", "\r\n"]), st.booleans(), SIZES)
def test_a_text_list(names: list[str], end: str, mark: bool, size: int) -> None:
    data = (b"\xef\xbb\xbf" if mark else b"") + end.join(names).encode()
    wanted = [name for name in names if name.strip() and not name.lstrip().startswith("{")]

    def check(file: Path) -> None:
        found = records(TextList(file), size)
        assert [r.name for r in found if not r.name.lstrip().startswith("{")] == wanted
        assert len(found) == sum(bool(name.strip()) for name in names)

    with_file(data, check)


@quick
@given(st.lists(st.dictionaries(FIELD, FIELD)), SIZES)
def test_json_lines(rows: list[dict[str, str]], size: int) -> None:
    lines = [json.dumps({**row, "url": str(number)}) + "\n" for number, row in enumerate(rows)]

    def check(file: Path) -> None:
        found = records(TextList(file), size)
        assert [record.content for record in found] == [str(n) for n in range(len(rows))]
        assert [dict(record.carried) for record in found] == [
            {key: value for key, value in row.items() if key != "url"} for row in rows
        ]

    with_file("".join(lines).encode(), check)


@quick
@given(st.lists(st.tuples(FIELD, FIELD, FIELD)), st.sampled_from(["\n", "\r\n"]), SIZES)
def test_a_csv_table(rows: list[tuple[str, str, str]], end: str, size: int) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "url", "more"), *rows])

    def check(file: Path) -> None:
        found = records(CsvTable(file, ALL), size)
        assert [tuple(record.carried.values()) for record in found] == rows
        for record, row in zip(found, rows, strict=True):
            assert record.kind == "broken" if not row[1] else record.content == row[1]

    with_file(out.getvalue().encode(), check, "x.csv")


@quick
@given(st.lists(st.tuples(st.integers(0, 99), FIELD), unique_by=lambda row: row[0]), SIZES)
def test_an_sqlite_table(rows: list[tuple[int, str]], size: int) -> None:
    def check(file: Path) -> None:
        with sqlite3.connect(file) as database:
            database.execute('CREATE TABLE "a ""b" (id INTEGER, url TEXT)')
            # Row ids with gaps between them.
            query = 'INSERT INTO "a ""b" (rowid, id, url) VALUES (?, ?, ?)'
            database.executemany(query, [(key * 7, key, text) for key, text in rows])
        database.close()
        found = records(SqliteTable(file, ALL), size)
        assert [record.carried["id"] for record in found] == sorted(key for key, _ in rows)

    with_file(b"", check, "x.db")


@pytest.mark.parametrize("size", [1, 3, 7, 64, 100])
@pytest.mark.parametrize("group", [1, 5, 100])
def test_a_parquet_table(tmp_path: Path, size: int, group: int) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = [f"{number}.png" for number in range(90)]
    table = arrow.table({"url": names, "number": list(range(90))})
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=group)
    found = records(ParquetTable(tmp_path / "x.parquet", ALL), size)
    assert [record.name for record in found] == names
    assert [record.carried["number"] for record in found] == list(range(90))


@quick
@given(
    st.lists(st.tuples(st.integers(), st.dictionaries(FIELD, FIELD), TEXT)), st.booleans(), SIZES
)
def test_annotations(rows: list[tuple[int, dict[str, str], str]], quoted: bool, size: int) -> None:
    out = io.StringIO(newline="")
    for key, answer, url in rows:
        parts = [str(key), json.dumps({"url": url + "x"}), json.dumps(answer)]
        if quoted:
            csv.writer(out, lineterminator="\n").writerow(parts)
        else:
            out.write(",".join(parts) + "\n")
        out.write("# a comment\n")

    def check(file: Path) -> None:
        found = records(Annotations(file), size)
        assert [record.content for record in found] == [url + "x" for _, _, url in rows]
        assert [record.carried["id"] for record in found] == [str(key) for key, *_ in rows]
        assert [json.loads(record.carried["answer"]) for record in found] == [a for _, a, _ in rows]

    with_file(out.getvalue().encode(), check, "x.csv")


@quick
@given(st.text())
def test_no_line_breaks_the_reader_of_annotations(text: str) -> None:
    fields = split_annotation(text)
    assert fields is None or isinstance(fields[1], dict)


def test_columns_are_found_by_name() -> None:
    assert Columns().image_of(["id", "base64", "url"]) == "url"
    assert Columns().record({"base64": "aGk="}, 4) == Record("row 5", "base64", "aGk=", {})
    assert Columns(image="b", image_type="base64").record({"b": "aGk="}, 0).kind == "base64"
    assert Columns().record({"image": 3}, 0).content == "column 'image' is 3; expected a text."
    assert Columns(reserved=()).record({"url": "a", "id": 1}, 0).carried == {}
    assert Columns(reserved=("id",)).record({"url": "a", "id": 1, "x": 2}, 0).carried == {"id": 1}
