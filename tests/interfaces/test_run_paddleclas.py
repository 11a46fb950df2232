"""A file of PaddleClas through train, evaluate and export, on a network small enough for a test."""

import json
from pathlib import Path

import pytest

from toolkit.interfaces.cli import main

FILE = Path(__file__).parents[1] / "config/paddleclas_files/GeneralRecognition_PPLCNet_x2_5.yaml"
SMALL = [
    "Global.epochs=1",
    "DataLoader.Train.sampler.batch_size=8",
    "Arch.Backbone={name: TinyPPLCNet, pretrained: False}",
    "Arch.Neck={name: FC, class_num: 16}",
    "Arch.Head={name: ArcMargin, embedding_size: 16, class_num: 9, margin: 0.2, scale: 30}",
    "Train.max_steps=1",
    "Data.num_workers=0",
    "CheckDataset.num_workers=0",
    "Metric.bootstrap_samples=20",
]


@pytest.fixture(scope="module")
def file(tmp_path_factory, drawn_dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("paddleclas")
    text = FILE.read_text(encoding="utf-8").replace("224", "64")
    text = text.replace("DATASET", str(drawn_dataset)).replace("OUTPUT", str(folder / "out"))
    (folder / "theirs.yaml").write_text(text, encoding="utf-8")
    return folder / "theirs.yaml"


def run_main(file: Path, mode: str, *overrides: str) -> int:
    options = [f"Global.mode={mode}", *SMALL, *overrides]
    return main(["-c", str(file), *(part for o in options for part in ("-o", o))])


@pytest.fixture(scope="module")
def trained(file: Path) -> Path:
    assert run_main(file, "train") == 0
    return file.parent / "out"


def test_training_leaves_our_configuration_and_says_what_it_left_out(trained: Path) -> None:
    log = (trained / "train.log").read_text(encoding="utf-8")
    assert "Left out of PaddleClas's file, for it changes nothing: " in log
    assert "RandCropImage draws the aspect ratio" in log
    result = json.loads((trained / "train_result.json").read_text(encoding="utf-8"))
    assert (result["done_flag"], result["steps"], result["num_classes"]) == (True, 1, 4)
    assert main(["-c", str(trained / "config.yaml"), "-o", "Global.mode=evaluate"]) == 0


def test_evaluate_and_export_take_global_pretrained_model(file: Path, trained: Path) -> None:
    assert run_main(file, "evaluate") == 0
    expected = json.loads((trained / "evaluate_result.json").read_text(encoding="utf-8"))
    other, weights = file.parent / "other", f"Global.pretrained_model={trained}/latest/latest"
    assert run_main(file, "evaluate", weights, f"Global.output={other}") == 0
    found = json.loads((other / "evaluate_result.json").read_text(encoding="utf-8"))
    assert found["weights"] == str(trained / "latest/latest.pdparams")
    # One epoch: the latest weights are the best ones.
    assert found["metrics"] == expected["metrics"]
    assert run_main(file, "export") == 0
    exported = trained / "inference"  # Global.save_inference_dir
    assert (exported / "inference.json").is_file()
    written = json.loads((exported / "export_result.json").read_text(encoding="utf-8"))
    assert written["dimension"] == 16
    assert written["weights"] == str(trained / "best_model/best_model.pdparams")


def test_what_is_not_supported_exits_with_2_and_every_line(file: Path, capsys) -> None:
    assert run_main(file, "train", "Global.use_dali=True", "Optimizer.lr.name=ReduceOnPlateau") == 2
    told = capsys.readouterr().err
    assert "-o Global.use_dali=True: Global.use_dali: True is not supported" in told
    assert "-o Optimizer.lr.name=ReduceOnPlateau: Optimizer.lr.name: " in told
    assert "Traceback" not in told
    result = json.loads((file.parent / "out/train_result.json").read_text(encoding="utf-8"))
    assert result["done_flag"] is False
