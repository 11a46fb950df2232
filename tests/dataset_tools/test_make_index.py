import subprocess
import sys
from pathlib import Path

import pytest

from dataset_tools.make_index import main
from toolkit.data.manifest import read_manifest

SCRIPT = Path(__file__).resolve().parents[2] / "dataset_tools" / "make_index.py"


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name in ("b/2.jpg", "b/10.PNG", "a a/x y.webp", "top.jpg", "notes.txt", ".trash/z.jpg"):
        root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        root.joinpath(name).touch()
    return root


def rows(file):
    manifest = read_manifest(file, root=file.parent, split="gallery")
    assert manifest.problems == []
    return [(sample.path, sample.label) for sample in manifest.samples]


def test_labels_are_folder_names(photos, capsys):
    assert main([str(photos)]) == 0
    assert rows(photos / "index.txt") == [
        ("a a/x y.webp", "a a"),
        ("b/10.PNG", "b"),
        ("b/2.jpg", "b"),
        ("top.jpg", "photos"),
    ]
    assert capsys.readouterr().out == f"4 pictures, 3 label(s): {photos / 'index.txt'}\n"


def test_without_labels_and_relative_to_a_root(photos, tmp_path):
    output = tmp_path / "lists" / "gallery.txt"
    arguments = [str(photos / "b"), "--label-from", "none", "--relative-to", str(photos)]
    assert main([*arguments, "--output", str(output)]) == 0
    assert rows(output) == [("b/10.PNG", "0"), ("b/2.jpg", "0")]


def test_a_list_that_exists_is_kept_unless_forced(photos, capsys):
    assert main([str(photos)]) == 0
    assert main([str(photos)]) == 2
    assert "exists already; --force replaces it" in capsys.readouterr().err
    assert main([str(photos), "--force"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "is not a folder"),
        (["photos/a a", "--relative-to", "photos/b"], "is not inside"),
        (["photos/.trash/.."], "4 pictures"),
        (["empty"], "has no picture"),
    ],
)
def test_mistakes(photos, tmp_path, monkeypatch, capsys, arguments, message):
    tmp_path.joinpath("empty").mkdir()
    monkeypatch.chdir(tmp_path)
    code = main(arguments)
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert code == (0 if "pictures" in message else 2)


def test_a_name_that_a_list_cannot_carry_is_named(photos, capsys):
    photos.joinpath("tab\there.jpg").touch()
    assert main([str(photos)]) == 2
    assert r"'tab\there.jpg'" in capsys.readouterr().err
    assert not photos.joinpath("index.txt").exists()


def test_as_a_script_from_anywhere(photos, tmp_path):
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "photos"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("4 pictures")
