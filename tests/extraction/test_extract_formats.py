"""Every format of input and output: all rows, in order, the same from any number of shards."""

import base64
import csv
import io
import json
import pickle
import sqlite3
import tarfile
from pathlib import Path

import numpy as np
import pytest
from input_tables import TABLES

from tests.extraction.conftest import SPOILT
from toolkit.errors import ConfigError, DatasetError

FORMATS = ["features.txt", "f.npy", "f.parquet", "f.jsonl", "f.pkl"]


def read_table(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute("SELECT * FROM shop ORDER BY rowid")]
    database.close()
    return rows


def check(found: list[np.ndarray | None], expected: list[np.ndarray | None]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("image_type", ["url", "base64"])
def test_a_table_of_each_kind(run_extract, pictures, vectors, tmp_path, kind, image_type):
    rows = [
        {
            "id": f'a "{number}", b\n\nc',
            "photo": base64.b64encode(file.read_bytes()).decode()
            if image_type == "base64"
            else str(file),
            "price": "1.50",
        }
        for number, file in enumerate(pictures)
    ]
    source = TABLES[kind](tmp_path / f"shop{kind}", rows)
    keys = {"image_column": "photo", "image_type": image_type, "reserved_columns": ["price", "id"]}
    report = run_extract(source, f"out{kind}", output_format="table", result_column="v", **keys)
    assert report.failed == len(SPOILT)
    found = read_table(tmp_path / f"out{kind}")
    assert [list(row) for row in found] == [["price", "id", "v"]] * len(rows)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    results = [json.loads(row["v"]) for row in found]
    assert all(list(result) == ["feature"] for result in results)
    values = [result["feature"] for result in results]
    check([None if value is None else np.array(value) for value in values], vectors(pictures))


@pytest.mark.parametrize("kind", TABLES)
def test_a_wrong_column_is_an_error_with_all_names(run_extract, pictures, tmp_path, kind):
    rows = [{"id": "1", "photo": str(pictures[0])}]
    source = TABLES[kind](tmp_path / f"shop{kind}", rows)
    if kind == ".jsonl":  # each line has its own: those without are failed rows
        assert run_extract(source, image_column="foto").merged.causes == {"row": 1}
        with pytest.raises(ConfigError, match=r"result_column is 'id'.*what has been computed"):
            run_extract(source, "x.csv", image_column="photo", result_column="id")
        return
    with pytest.raises(DatasetError, match=r"no column 'foto'. Did you mean 'photo'.*id, photo"):
        run_extract(source, image_column="foto")
    with pytest.raises(DatasetError, match="no column 'ID'"):
        run_extract(source, image_column="photo", reserved_columns=["ID"])
    table = {"image_column": "photo", "output_format": "table", "reserved_columns": ["id"]}
    with pytest.raises(ConfigError, match=r"result_column is 'id', which is also a column"):
        run_extract(source, f"x{kind}", result_column="id", **table)
    with pytest.raises(DatasetError, match=r"which column is the picture.*id, photo"):
        run_extract(source)


@pytest.mark.parametrize("kind", [".sqlite", ".parquet", ".tar"])
def test_a_damaged_file_is_named(run_extract, tmp_path, kind):
    (tmp_path / f"bad{kind}").write_bytes(b"nonsense" * 500)
    with pytest.raises(DatasetError, match=rf"bad\{kind}"):
        run_extract(tmp_path / f"bad{kind}")
    with pytest.raises(DatasetError, match=r"gone.*there is no such list|gone.*cannot be read"):
        run_extract(tmp_path / f"gone{kind}")


def test_a_csv_with_faults(run_extract, pictures, tmp_path):
    source = tmp_path / "shop.csv"
    source.write_text(
        f'id,url\n1,"{pictures[5]}"\n2\n3,"{pictures[6]}",x\n\n4,\n5,gone.png\n', encoding="utf-8"
    )
    report = run_extract(source, "x.csv", reserved_columns=["id"])
    assert report.merged.causes == {"row": 3, "missing": 1}
    source.write_text('id,url\n1,"open\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"shop.csv:2: not CSV"):
        run_extract(source)
    source.write_text("id,id\n1,2\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="a name for each column"):
        run_extract(source)


def test_json_lines_carry_their_keys(run_extract, pictures, vectors, tmp_path):
    lines = [
        {"id": 7, "url": str(pictures[0])},
        {"image": str(pictures[1]), "tags": ["a", "b"]},
        {"base64": base64.b64encode(pictures[2].read_bytes()).decode(), "id": 8},
        {"base64": "%%%"},
        {"id": 9},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"url": \n'
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    report = run_extract(tmp_path / "list.txt", "x.jsonl")
    found = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [(row["image"], *map(row["carried"].get, ("id", "tags"))) for row in found[:3]] == [
        (str(pictures[0]), 7, None),
        (str(pictures[1]), None, ["a", "b"]),
        ("row 3", 8, None),
    ]
    check([np.array(row["feature"]) for row in found[:3]], vectors(pictures[:3]))
    assert [row["feature"] for row in found[3:]] == [None] * 3
    assert ["base64" in found[3]["error"], "url, image" in found[4]["error"]] == [True, True]
    assert report.merged.causes == {"row": 3}


def test_annotations_in_both_spellings(run_extract, pictures, vectors, tmp_path):
    quoted = json.dumps({"url": str(pictures[0])}).replace('"', '""')
    text = (
        "# a comment\n"
        f'1,"{quoted}","{{""option"":""x""}}"\n'
        f'2,{json.dumps({"url": str(pictures[1])})},{{"option":["a","b"]}}\n'
        "3,nonsense\n"
    )
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    run_extract(tmp_path / "list.csv", "x.jsonl")
    found = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [row.get("carried", {}).get("id") for row in found] == ["1", "2", None]
    assert json.loads(found[0]["carried"]["answer"]) == {"option": "x"}
    assert json.loads(found[1]["carried"]["answer"]) == {"option": ["a", "b"]}
    check([np.array(row["feature"]) for row in found[:2]], vectors(pictures[:2]))
    assert found[2]["feature"] is None


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_webdataset_shards(run_extract, pictures, vectors, tmp_path, layout):
    folder = tmp_path / "shards"
    folder.mkdir()
    names = []
    for part, chunk in enumerate((pictures[:9], pictures[9:])):
        with tarfile.open(folder / f"{part}.tar", "w", format=layout) as archive:
            for file in chunk:
                long = "very_long_" * 12 if layout != tarfile.USTAR_FORMAT else ""
                archive.add(file, f"a/{long}{file.name}")
                names.append(f"{part}.tar/a/{long}{file.name}")
                info = tarfile.TarInfo(f"a/{file.stem}.json")
                info.size = 2
                archive.addfile(info, io.BytesIO(b"{}"))
    run_extract(folder, "x.npy", shard_size=4)
    assert (tmp_path / "x.npy.ids.txt").read_text(encoding="utf-8").splitlines() == names
    rows = np.load(tmp_path / "x.npy")
    check([None if np.isnan(row).all() else row for row in rows], vectors(pictures))
    (folder / "1.tar").write_bytes((folder / "1.tar").read_bytes()[:4000])
    with pytest.raises(DatasetError, match=r"1.tar: the tar archive cannot be read"):
        run_extract(folder, "x.npy")


def test_a_folder_is_sorted_and_keeps_odd_names(run_extract, pictures, tmp_path):
    odd = pictures[0].with_name("zz\nline.png")
    odd.write_bytes(pictures[0].read_bytes())
    (pictures[0].parent / "notes.txt").write_text("no picture")
    run_extract(pictures[0].parent, "x.npy")
    ids = (tmp_path / "x.npy.ids.txt").read_text(encoding="utf-8").splitlines()
    assert ids == [*map(str, pictures), str(odd).replace("\n", "\\n")]
    run_extract(pictures[0].parent)
    lines = (tmp_path / "features.txt").read_text(encoding="utf-8").splitlines()
    assert lines[-1].partition(",  {")[0] == str(odd).replace("\n", "\\n")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_output_holds_the_same_vectors(
    run_extract, listed, pictures, vectors, tmp_path, dtype
):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in FORMATS:
        run_extract(listed, name, dtype=dtype)
    expected = np.load(tmp_path / "f.npy")
    assert expected.dtype == dtype
    bad = [number for number in range(21) if number in SPOILT]
    assert np.flatnonzero(np.isnan(expected).any(axis=1)).tolist() == bad
    atol = 1e-6 if dtype == "float32" else 1e-3
    for row, vector in zip(expected, vectors([*pictures, pictures[0]]), strict=True):
        assert vector is None or np.abs(row - vector).max() < atol

    def equal(found: list[list[float] | None]) -> None:
        assert [value is None for value in found] == [number in bad for number in range(21)]
        for value, row in zip(found, expected, strict=True):
            assert value is None or value == row.tolist(), "to the bit"

    table = parquet.read_table(tmp_path / "f.parquet")
    assert table.schema.field("feature").type.list_size == 256
    equal(table["feature"].to_pylist())
    equal([json.loads(line)["feature"] for line in (tmp_path / "f.jsonl").read_text().splitlines()])
    text = (tmp_path / "features.txt").read_text(encoding="utf-8").splitlines()
    equal([json.loads(line[line.index(",  {") + 3 :])["feature"] for line in text])
    with (tmp_path / "f.pkl").open("rb") as file:
        found = pickle.load(file)  # noqa: S301 - our own
    assert list(found) == [str(path) for path in pictures]
    for number, path in enumerate(pictures):
        assert number in bad or (found[str(path)] == expected[number].astype(np.float32)).all()
        assert number not in bad or found[str(path)] is None


def test_a_pickle_tells_what_it_cannot_hold(run_extract, listed, caplog):
    with caplog.at_level("WARNING"):
        run_extract(listed, "f.pkl")
    assert "1 rows have a path that another row has: a pickle holds 20 of 21 rows" in caplog.text
    with pytest.raises(ConfigError, match=r"21 rows.*max_pickle_rows, 20"):
        run_extract(listed, "f.pkl", max_pickle_rows=20)


@pytest.mark.parametrize("name", FORMATS)
def test_when_everything_failed_the_rows_are_there(run_extract, tmp_path, name):
    (tmp_path / "bad.txt").write_text("a.png\nb.png\n")
    report = run_extract(tmp_path / "bad.txt", name)
    assert (report.merged.rows, report.passed) == (2, False)
    assert (tmp_path / name).is_file()
