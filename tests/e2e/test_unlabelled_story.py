"""dataset_tools/run_unlabelled.py on drawn pictures: from no labels at all to a search."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml
from selfsup_files import METHODS, TINY, VIEWS

from dataset_tools.run_unlabelled import _parser, unlabelled_steps
from tests.e2e.served import Served
from toolkit import run
from toolkit.cards.weight_sources import find_weights
from toolkit.cards.weights import read_weights
from toolkit.config.load import load_config

pytestmark = pytest.mark.e2e


def tiny(folder, dataset):
    text = TINY.format(
        dataset=dataset, output=folder / "unused", method=METHODS["MoCo"], views=VIEWS["MoCo"]
    )
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    return folder / "tiny.yaml"


def tell(repository, *arguments):
    return subprocess.run(
        [sys.executable, "dataset_tools/run_unlabelled.py", *map(str, arguments)],
        cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_folder_of_photographs_becomes_a_search(repository, drawn_dataset, tmp_path):
    config, images = tiny(tmp_path, drawn_dataset), drawn_dataset / "images"
    told = tell(
        repository, "--config", config, "--images", images, "--query", images / "0_0.png",
        "--output", tmp_path / "story", "-o", "Train.max_steps=2", "-o", "Export.onnx=false",
        "-o", "Global.cache_dir=" + str(tmp_path / "cache"),
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "1 pictures looked up" in told.stdout
    (file,) = (tmp_path / "story/index").rglob("*.jsonl")
    (line,) = [json.loads(row) for row in file.read_text().splitlines()]
    assert "0_0.png" in json.dumps(line["hits"][0])
    facts = yaml.safe_load((tmp_path / "story/model/inference.yml").read_text())["Toolkit"]
    assert facts["dimension"] == 8


@pytest.mark.slow
def test_a_dataset_gives_a_number_and_every_checkpoint_can_be_searched_with(
    repository, drawn_dataset, tmp_path
):
    config = tiny(tmp_path, drawn_dataset)
    told = tell(
        repository, "--config", config, "--output", tmp_path / "story",
        "-o", "Train.save_interval=1",
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "12 pictures looked up; the nearest has the query's label for" in told.stdout
    # What stands in each epoch_N serves as it is.
    export = tmp_path / "story/training/epoch_1/inference"
    for mode, settings in {
        "build_index": [f"Index.model_dir={export}", f"Index.folder={tmp_path / 'of_epoch'}"],
        "extract": [f"Extract.model_dir={export}", f"Extract.input={drawn_dataset / 'images'}"],
        "evaluate": [f"Evaluate.weight_path={export}"],
    }.items():
        own = [f"Global.mode={mode}", f"Global.output={tmp_path / mode}", *settings]
        assert run(load_config(config, own)).passed, mode
    pytest.importorskip("fastapi")
    server = Served(tmp_path / "root", tmp_path / "served", f"Serve.model_dir={export}")
    try:
        picture = (drawn_dataset / "images/0_0.png").read_bytes()
        status, told = server.ask("/v1/features", picture, **{"Content-Type": "image/png"})
        assert (status, told["dimension"]) == (200, 8)
    finally:
        server.kill()


def test_every_step_is_a_whole_configuration(repository, tmp_path):
    """Without running them: each command's file and overrides are accepted."""
    given = _parser().parse_args(["--images", "x", "--query", "y", "--output", str(tmp_path)])
    modes = []
    for step in unlabelled_steps(given):
        assert step[:2] == ["main.py", "-c"]
        modes.append(load_config(repository / step[2], step[4::2]).Global.mode)
    assert modes == ["train", "export", "build_index", "search"]


@pytest.mark.slow
def test_a_training_with_labels_starts_from_one_without(drawn_dataset, tmp_path, tiny_config):
    without = load_config(tiny(tmp_path, drawn_dataset), [
        "Global.mode=train", f"Global.output={tmp_path / 'without'}", "Train.max_steps=3",
        "Export.onnx=false",
    ])  # fmt: skip
    run(without)
    file = tmp_path / "with_labels.yaml"
    file.write_text(tiny_config.format(dataset=drawn_dataset, output=tmp_path / "with"))
    # It stays as it is, so what comes out is what went in.
    run(load_config(file, [
        "Global.mode=train", f"Train.pretrain_weight_path={tmp_path / 'without'}",
        "Train.max_steps=1", "Train.freeze_backbone=true", "Export.onnx=false",
    ]))  # fmt: skip
    before = read_weights(find_weights(tmp_path / "without"))
    after = read_weights(find_weights(tmp_path / "with"))
    names = [name for name in after if name.startswith("backbone.")]
    assert names
    for name in names:
        np.testing.assert_array_equal(after[name], before[name])
