from pathlib import Path

import pytest

from toolkit.errors import VectorIndexError
from toolkit.serving.databases import Databases, Folders, Model, Quota, Schema
from toolkit.serving.problems import Kind, Problem

MODEL = Model(dimension=4, fingerprint="m")


def _open(folder: Path, quota: Quota | None = None) -> Databases:
    return Databases(folder, MODEL, quota or Quota(5, 100))


def test_making_again_changes_nothing_and_another_schema_is_refused(tmp_path: Path) -> None:
    databases = _open(tmp_path)
    assert databases.create("a", Schema("l2")) is True
    assert databases.create("a", Schema("l2")) is False
    assert databases.create("a", Schema()) is False
    with pytest.raises(Problem) as caught:
        databases.create("a", Schema("cosine"))
    assert caught.value.kind is Kind.DATABASE_EXISTS
    databases.close()


def test_there_are_only_so_many(tmp_path: Path) -> None:
    databases = _open(tmp_path, Quota(2, None))
    databases.create("a", Schema())
    databases.create("b", Schema())
    with pytest.raises(Problem, match="limit"):
        databases.create("c", Schema())
    databases.delete("a")
    databases.create("c", Schema())
    assert databases.names() == ["b", "c"]
    databases.close()


def test_a_deleted_one_is_gone_from_the_disk(tmp_path: Path) -> None:
    databases = _open(tmp_path)
    databases.create("a", Schema())
    databases.delete("a")
    assert [path.name for path in tmp_path.iterdir()] == []
    with pytest.raises(Problem) as caught:
        databases.get("a")
    assert caught.value.kind is Kind.NO_DATABASE
    databases.close()


@pytest.mark.parametrize("file", ["database.json", "index/records-1.sqlite"])
def test_a_damaged_one_says_so_and_the_others_work(tmp_path: Path, file: str) -> None:
    databases = _open(tmp_path)
    databases.create("bad", Schema())
    databases.create("good", Schema())
    databases.close()
    (tmp_path / "bad" / file).write_bytes(b"\x00garbage" * 100)
    again = _open(tmp_path)
    assert again.names() == ["bad", "good"]
    assert list(again.damaged()) == ["bad"]
    assert again.get("good").facts.count == 0
    with pytest.raises(Problem) as caught:
        again.get("bad")
    assert caught.value.kind is Kind.DATABASE_DAMAGED
    again.delete("bad")
    assert again.names() == ["good"]
    again.close()


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    databases = _open(tmp_path)
    databases.create("a", Schema())
    databases.close()
    (tmp_path / ".b.0123.deleted").mkdir()
    (tmp_path / ".c.0123.tmp").mkdir()
    again = _open(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    again.close()


def test_a_root_has_one_service(tmp_path: Path) -> None:
    folders = Folders(tmp_path, MODEL, Quota(5, None))
    with pytest.raises(VectorIndexError, match="Another service"):
        Folders(tmp_path, MODEL, Quota(5, None))
    assert folders.at(tmp_path / "x") is folders.at(tmp_path / "x")
    folders.close()
    Folders(tmp_path, MODEL, Quota(5, None)).close()
