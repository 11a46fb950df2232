"""An index that build_index wrote, opened by a service: the oracle is the index itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving.conftest import EXPORT, WRITER, drawn
from toolkit import run
from toolkit.errors import VectorIndexError
from toolkit.index.database.database import Database
from toolkit.index.database.opening import create_index, open_index
from toolkit.inference.model_fingerprint import model_fingerprint
from toolkit.serving.index_database import write_database
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.service import Service

RECORDS: list[dict[str, Any]] = [
    {"label": "a", "path": "1"},
    {"label": "b", "price": 3},
    {"label": "a"},
    {"path": "unlabelled"},
]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Database]:
    with create_index(tmp_path / "index", dimension=4, metric="l2", fingerprint="f") as opened:
        opened.add([f"{at}.png" for at in range(4)], np.eye(4, dtype=np.float32), RECORDS)
        yield opened


def _written(index: Database, folder: Path, picture: Callable[[str], bytes | None]) -> int:
    told = list[int]()
    write_database(index, folder, picture, told.append)
    return sum(told)


def test_every_record_is_there_in_its_order_with_its_vector(
    index: Database, tmp_path: Path
) -> None:
    pictures = {"0.png": drawn(1), "1.png": drawn(1), "2.png": b"no picture (any more)"}
    assert _written(index, tmp_path / "d", pictures.get) == 4
    database = PictureDatabase(tmp_path / "d", "f")
    entries = database.entries()
    said = [(one.record["group_id"], one.record["intra_id"]) for one in entries]
    assert said == [("a", 0), ("b", 0), ("a", 1), ("3.png", 0)]
    data = [one.record["data"] for one in entries]
    assert data == [
        {"id": "0.png", "path": "1"},
        {"id": "1.png", "price": 3},
        {"id": "2.png"},
        {"id": "3.png", "path": "unlabelled"},
    ]
    assert [one.vector.tolist() for one in entries] == np.eye(4).tolist()
    names = [one.record["savename"] for one in entries]
    assert names[2:] == [None, None]
    # Equal pictures are one file.
    assert names[0] == names[1]
    assert database.picture(names[0]) == drawn(1)
    assert database.facts.metric == "l2"
    database.close()


def test_a_folder_that_is_there_stays_as_it_is(index: Database, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(VectorIndexError, match="there already"):
        _written(index, tmp_path / "d", lambda _: None)
    assert [file.name for file in (tmp_path / "d").iterdir()] == ["file"]


def test_a_label_that_no_group_can_have_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with create_index(tmp_path / "i", dimension=4) as index:
        index.add(["x"], np.ones((1, 4), np.float32), [{"label": "a" * 300}])
        with pytest.raises(VectorIndexError, match="'x'"):
            _written(index, tmp_path / "d", lambda _: None)
    assert not (tmp_path / "d").exists()


def test_bits_are_not_served(tmp_path: Path) -> None:
    with (
        create_index(tmp_path / "i", dimension=8, metric="hamming") as index,
        pytest.raises(VectorIndexError, match="hamming"),
    ):
        _written(index, tmp_path / "d", lambda _: None)


def test_a_built_index_is_a_database_of_the_service(
    make_service: Callable[..., Service],
    configure: Callable[..., Any],
    drawn_dataset: Path,
    tmp_path: Path,
) -> None:
    root = tmp_path / "root"
    report = run(
        configure(
            "Global.mode=build_index",
            "Global.model=SmallResNet_general",
            "Index.model_dir=null",
            f"Index.input={drawn_dataset}/gallery.txt",
            f"Index.export_database={root}/default/packages",
        )
    )
    assert report.to_json()["fingerprint"] == model_fingerprint(EXPORT)
    assert str(root / "default" / "packages") in report.summary()
    service = make_service(root)
    database = service.databases(WRITER).get("packages")
    rows = [line.split() for line in (drawn_dataset / "gallery.txt").read_text().splitlines()]
    with open_index(report.place, read_only=True) as built:
        assert built.facts.count == database.facts.count == len(rows)
    for path, label, *_ in rows:
        (vector,) = service.embedder.embed((drawn_dataset / path).read_bytes())
        (hit,) = database.search(vector, 1)
        assert hit.score == pytest.approx(1, abs=1e-5)
        assert (hit.record["group_id"], hit.record["data"]["id"]) == (label, path)
        assert database.picture(hit.record["savename"]) == (drawn_dataset / path).read_bytes()
    # It is a database like any other: it can be written to.
    database.append([vector], [_new()], [None])
    assert json.dumps(report.to_json())


def _new() -> Any:
    from toolkit.serving.picture_records import PictureRecord

    return PictureRecord("new", 0)
