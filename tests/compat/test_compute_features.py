"""The command over a folder of good and bad pictures."""

import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.cards import tensorflow_slim
from toolkit.compat import compute_features, slim_extractor
from toolkit.compat.feature_table import read_features

pytest.importorskip("paddle")
CHECKPOINT = Path(__file__).parents[1] / "cards" / "golden" / "thin_inception_v2.ckpt"


@pytest.fixture
def thin(monkeypatch):
    whole = tensorflow_slim.SLIM_MODELS["inception_v2"]
    model = dataclasses.replace(
        whole, name="thin", backbone="TinyInceptionV2", side=64, legacy_side=64
    )
    monkeypatch.setitem(tensorflow_slim.SLIM_MODELS, "thin", model)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    pictures = tmp_path / "pictures"
    (pictures / "below").mkdir(parents=True)
    colours = Image.fromarray(rng.integers(0, 256, [70, 90, 3], dtype=np.uint8))
    colours.save(pictures / "b.Jpg")
    colours.convert("L").save(pictures / "a.PNG")
    colours.convert("RGBA").save(pictures / "below" / "c.png")
    colours.convert("CMYK").save(pictures / "d.jpeg")
    colours.save(pictures / "e.BMP")
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (pictures / "notes.txt").write_text("not a picture", encoding="utf-8")
    return pictures


GOOD = ["a.PNG", "b.Jpg", "below/c.png", "d.jpeg", "e.BMP"]


def run(folder, *more, data_dir=None):
    return compute_features.main(
        [
            *("--data_dir", data_dir or str(folder), "--model", "thin"),
            *("--checkpoint_file", str(CHECKPOINT), "--device", "cpu"),
            *more,
        ]
    )


def test_a_dict_of_paths_as_walked_in_order(thin, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(folder, "--batch_size", "2", data_dir="./pictures/") == 0
    file = tmp_path / "features" / "thin_features.pkl"
    features = pickle.loads(file.read_bytes())  # noqa: S301 - our own, read as people will
    assert list(features) == [f"./pictures/{name}" for name in GOOD]
    assert {(v.dtype, v.shape) for v in features.values()} == {(np.dtype(np.float32), (64,))}
    failed = json.loads((tmp_path / "features" / "thin_features.pkl.errors.jsonl").read_text())
    assert failed["image"] == "./pictures/broken.jpg"
    assert "JPEG" in failed["error"]
    assert "5 of 6 pictures, 64 numbers each, by thin AvgPool_1a" in capsys.readouterr().out


def test_the_batch_changes_nothing(thin, folder, tmp_path):
    tables = []
    for size in ("1", "5"):
        file = tmp_path / f"{size}.npz"
        assert run(folder, "--batch_size", size, "--output", str(file)) == 0
        tables.append(read_features(file))
    assert tables[0].paths == tables[1].paths
    np.testing.assert_allclose(tables[0].vectors, tables[1].vectors, rtol=1e-4, atol=1e-5)


def test_layer_and_legacy_preprocessing(thin, folder, tmp_path):
    files = [tmp_path / "own.pkl", tmp_path / "legacy.pkl", tmp_path / "logits.pkl"]
    assert run(folder, "--output", str(files[0])) == 0
    assert run(folder, "--output", str(files[1]), "--legacy-preprocess") == 0
    assert run(folder, "--output", str(files[2]), "--feature_name", "Logits") == 0
    own, legacy, logits = (read_features(file).vectors for file in files)
    assert logits.shape == (5, 10)
    assert np.abs(own - legacy).max() > 1e-2 * np.abs(own).max()


def test_an_earlier_list_of_failures_goes(thin, folder, tmp_path):
    file = tmp_path / "x.pkl"
    assert run(folder, "--output", str(file)) == 0
    assert (tmp_path / "x.pkl.errors.jsonl").is_file()
    (folder / "broken.jpg").unlink()
    assert run(folder, "--output", str(file)) == 0
    assert not (tmp_path / "x.pkl.errors.jsonl").exists()


def test_values_that_are_not_finite_are_a_failure(thin, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        slim_extractor.SlimExtractor,
        "run",
        lambda _, tensors: np.full((len(tensors), 3), np.nan, np.float32),
    )
    assert run(folder, "--output", str(tmp_path / "x.pkl")) == 1
    assert "More than 100% or all of the pictures failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--data_dir": "nowhere"}, "there is no such folder"),
        ({"--data_dir": "."}, "holds no picture"),
        ({"--model": "inception_v5"}, "Unknown model 'inception_v5'. Did you mean"),
        ({"--checkpoint_file": "nothing.ckpt"}, "There is no TensorFlow checkpoint nothing.ckpt"),
        ({"--output": "x.txt"}, "written as .pkl or .npz"),
    ],
)
def test_wrong_input_is_told_before_anything_is_computed(
    folder, tmp_path, options, message, monkeypatch, capsys
):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    given = {
        "--data_dir": str(folder),
        "--model": "inception_v1",
        "--checkpoint_file": str(CHECKPOINT),
    }
    arguments = [word for pair in (given | options).items() for word in pair]
    assert compute_features.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(empty.iterdir()) == []


@pytest.mark.slow
def test_the_checkpoint_of_another_network_as_a_process(folder, tmp_path):
    command = [sys.executable, "-m", "toolkit.compat.compute_features", "--data_dir", str(folder)]
    command += ["--model", "inception_v2", "--checkpoint_file", str(CHECKPOINT)]
    command += ["--device", "cpu", "--output", str(tmp_path / "x.pkl")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "which does not fit" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.pkl").exists()
