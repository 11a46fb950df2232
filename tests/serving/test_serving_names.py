from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.serving.names import database_name, is_name, oss_folder, relative_path
from toolkit.serving.problems import Problem

BAD = ["", ".", "..", "../a", "/a", "a/b", "a\\b", ".hidden", "a\n", "a b", "ä", "a" * 65, "a\x00"]


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_name_a_database(name: str) -> None:
    with pytest.raises(Problem, match="cannot name"):
        database_name(name)


@pytest.mark.parametrize(
    "path", ["", "..", "a/../b", "/a", "a//b/../c", "a/.b", "~/a", "a\\..\\b", "C:a"]
)
def test_what_is_no_relative_path(path: str) -> None:
    with pytest.raises(Problem, match="no path"):
        relative_path(path, "savename")


@given(st.text(max_size=80))
def test_nothing_leaves_its_folder(text: str) -> None:
    root = Path("/srv/root")
    for make in (
        lambda: root / relative_path(text, "x"),
        lambda: oss_folder(f"oss://{text}", root),
    ):
        try:
            made = make()
        except Problem:
            continue
        assert Path(made).resolve().is_relative_to(root)
        assert all(is_name(part) for part in made.relative_to(root).parts)


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "bucket").symlink_to(tmp_path)
    with pytest.raises(Problem, match="leads out"):
        oss_folder("oss://bucket/a", root)
    assert oss_folder("oss://other/a/", root) == root / "other" / "a"
