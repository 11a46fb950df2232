"""The command as a person starts it."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.compat import load_features


@pytest.fixture
def file(tmp_path: Path) -> Path:
    angles = {"b/red.png": 0, "a/red2.png": 5, "green.png": 90, "a/blue.png": 95, "b/blue.png": 6}
    for path in angles:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (30, 20), path.partition(".")[0].rpartition("/")[2].strip("2")).save(
            tmp_path / path
        )
    vectors = {
        str(tmp_path / path): np.array(
            [np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))], np.float32
        )
        for path, angle in angles.items()
    }
    file = tmp_path / "x_features.pkl"
    file.write_bytes(pickle.dumps(vectors, protocol=0))
    return file


def process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toolkit.compat.load_features", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_first_pair_as_the_original_prints_it(file: Path) -> None:
    done = process(file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file.parent}/b/red.png : [1. 0.]\n"


def test_neighbours_and_clusters(file: Path) -> None:
    done = process(file, "--neighbours", "red.png", "-k", 2, "--clusters", 2)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.replace(f"{file.parent}/", "").splitlines()
    assert lines == [
        "b/red.png: cosine to its 2 nearest of 5",
        "  0.9962 a/red2.png",
        "  0.9945 b/blue.png",
        "cluster 0: 3 pictures",
        "  b/red.png",
        "  a/red2.png",
        "  b/blue.png",
        "cluster 1: 2 pictures",
        "  green.png",
        "  a/blue.png",
    ]


def test_a_map_shows_the_pictures(file: Path, capsys) -> None:
    png = file.parent / "new" / "map.png"
    assert load_features.main([str(file), "--clusters", "2", "--map", str(png)]) == 0
    assert "5 points, 5 of them as pictures" in capsys.readouterr().out
    pixels = np.asarray(Image.open(png).convert("RGB"))
    assert pixels.shape == (1200, 1200, 3)
    for colour in ((255, 0, 0), (0, 128, 0), (0, 0, 255)):
        assert (pixels == colour).all(axis=2).sum() > 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--neighbours", "blue.png"], "2 pictures are named 'blue.png'"),
        (["--neighbours", "7"], "There is no picture '7' among the 5"),
        (["--clusters", "6"], "--clusters 6: give 1 to 5"),
    ],
)
def test_wrong_questions(file: Path, arguments: list[str], message: str, capsys) -> None:
    assert load_features.main([str(file), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_picture_by_its_number(file: Path, capsys) -> None:
    assert load_features.main([str(file), "--neighbours", "2", "-k", "1"]) == 0
    assert capsys.readouterr().out.endswith(f"  0.9962 {file.parent}/a/blue.png\n")


def test_a_map_of_pictures_that_are_gone(file: Path, capsys) -> None:
    for path in file.parent.rglob("*.png"):
        path.unlink()
    png = file.parent / "map.png"
    assert load_features.main([str(file), "--map", str(png)]) == 0
    assert "5 points, 0 of them as pictures" in capsys.readouterr().out
    assert png.is_file()


def test_a_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    (tmp_path / "x.pkl").write_bytes(f"cos\nsystem\n(S'touch {made}'\ntR.".encode())
    done = process(tmp_path / "x.pkl")
    assert done.returncode == 2
    assert "it names os.system" in done.stderr
    assert "Traceback" not in done.stderr
    assert not made.exists()
