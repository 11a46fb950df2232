"""New classes for a trained head, through main's front door."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from toolkit import run
from toolkit.cards.weights import read_weights
from toolkit.errors import ConfigError, WeightsError

TRAIN = "Global.mode=train"


def keep_labels(root: Path, folder: Path, labels: str) -> Path:
    """Copies a dataset with some of its training classes."""
    shutil.copytree(root, folder)
    rows = (root / "train.txt").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if row.split()[1] in labels]
    (folder / "train.txt").write_text("".join(f"{row}\n" for row in kept), encoding="utf-8")
    return folder


@pytest.fixture
def first(configure, drawn_dataset, tmp_path):
    """A run on classes 1, 2, 3; class 0 comes before them when it is added."""
    config = configure(
        TRAIN,
        f"Global.output={tmp_path / 'first'}",
        "Train.epochs_iters=4",
        "Export.onnx=false",
        dataset=keep_labels(drawn_dataset, tmp_path / "three", "123"),
    )
    run(config)
    return tmp_path / "first"


def extended(configure, first, *overrides, **options):
    output = first.parent / "second"
    extend = [f"Train.extend_from={first / 'latest'}", f"Global.output={output}"]
    report = run(configure(TRAIN, *extend, "Export.onnx=false", *overrides, **options))
    return report, json.loads((output / "train_result.json").read_text(encoding="utf-8"))


def test_a_class_is_added_and_what_it_costs_is_told(configure, first):
    # A rate so small that the weights stay what they began with.
    report, result = extended(configure, first, "Train.learning_rate=1e-9", "Train.epochs_iters=1")
    labels = json.loads((report.output / "label_order.json").read_text(encoding="utf-8"))
    assert labels == ["0", "1", "2", "3"]
    before, after = (read_weights(folder / "latest") for folder in (first, report.output))
    np.testing.assert_allclose(
        after["head.fc.weight"][:, 1:], before["head.fc.weight"], atol=1e-5, rtol=0
    )
    assert after["head.fc.weight"].shape[1] == 4
    for name in ("recall1_before", "recall1_after"):
        assert set(result["extended_classes"][name]) == {"old", "new"}
        assert all(0 <= value <= 1 for value in result["extended_classes"][name].values())
    told = report.summary()
    values = [result["extended_classes"][f"recall1_{when}"]["old"] for when in ("before", "after")]
    assert f"old classes: recall@1 {values[0]:.4f} before, {values[1]:.4f} after" in told
    # The imprinted class is the one that its own pictures are nearest to, before any training.
    assert "3 classes of" in (report.output / "train.log").read_text(encoding="utf-8")


def test_known_classes_without_pictures_keep_their_rows(configure, first, drawn_dataset):
    root = keep_labels(drawn_dataset, first.parent / "one", "0")
    report, result = extended(configure, first, "Train.epochs_iters=1", dataset=root)
    assert result["num_classes"] == 4
    assert result["extended_classes"]["recall1_before"]["old"] is None
    assert "old classes: recall@1 not measured" in report.summary()


def test_what_was_measured_before_outlives_a_stop(configure, first):
    _, result = extended(configure, first, "Train.max_steps=2")
    before = result["extended_classes"]["recall1_before"]
    _, again = extended(configure, first, "Train.resume_path=auto")
    assert again["extended_classes"]["recall1_before"] == before
    assert again["steps"] == 8


def test_what_cannot_be_extended_says_why(configure, first):
    with pytest.raises(ConfigError, match=r"another Global\.output"):
        run(configure(TRAIN, f"Train.extend_from={first / 'latest'}", f"Global.output={first}"))
    (first / "label_order.json").unlink()
    with pytest.raises(WeightsError, match=r"label_order\.json is not there"):
        extended(configure, first)
    with pytest.raises(ConfigError, match="leave pretrain_weight_path out"):
        configure(TRAIN, "Train.extend_from=x", "Train.pretrain_weight_path=y")
    with pytest.raises(ConfigError, match="set num_classes to auto"):
        configure(TRAIN, "Train.extend_from=x", "Train.num_classes=9")
