"""The mode export with Export.precision: measured, gated, published."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from toolkit import create_model, run
from toolkit.build.model import build_recognizer
from toolkit.cards.weights import write_state
from toolkit.errors import ConfigError, DatasetError, ModelError, RecallDropError
from toolkit.runtime import seed_framework
from toolkit.training.learner import state_arrays


@pytest.fixture
def export(configure, tmp_path):
    """Runs the mode export on a tiny network with fixed random weights."""
    seed_framework(0)  # one that black calibration pictures harm
    file = tmp_path / "w.pdparams"
    write_state(file, state_arrays(build_recognizer(configure().Arch, 5)))
    usual = ("Global.mode=export", f"Export.weight_path={file}", "Export.max_recall_drop=100")
    return lambda *overrides, **options: run(configure(*usual, *overrides, **options))


def _toolkit_section(folder):
    return yaml.safe_load((folder / "inference.yml").read_text(encoding="utf-8"))["Toolkit"]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_both_sides_are_measured_and_written_down(export, tmp_path, precision):
    report = export(f"Export.precision={precision}", "Export.calibration_images=10")
    assert report.passed
    written = report.to_json()
    assert json.loads(json.dumps(written)) == written
    assert written["precision"] == precision
    assert written["precision_engine"] == "openvino"
    assert written["calibration_images"] == (10 if precision == "int8" else 0)
    before, after = written["recalls"]["fp32"], written["recalls"][precision]
    assert set(before) == set(after) == {"recall1", "recall5", "mAP"}
    assert written["recall1_change"] == pytest.approx(after["recall1"] - before["recall1"])
    low, high = written["recall1_change_interval"]
    assert low <= written["recall1_change"] <= high
    assert written["queries"] == 12
    section = _toolkit_section(tmp_path / "output")
    assert section["precision"] == precision
    assert section["recalls"] == written["recalls"]
    assert f"features.{precision}.onnx" in report.exported.files
    assert all((tmp_path / "output" / name).is_file() for name in report.exported.files)
    assert f"{precision}: recall@1" in report.summary()


def test_the_numbers_are_those_of_the_mode_evaluate(export, configure, tmp_path):
    report = export("Export.precision=int8", "Export.calibration_images=10")
    weights = tmp_path / "output" / "inference.pdiparams"
    overrides = ("Global.mode=evaluate", f"Evaluate.weight_path={weights}")
    evaluated = run(configure(*overrides)).to_json()["metrics"]
    for name, value in report.to_json()["recalls"]["int8"].items():
        assert evaluated[name] == pytest.approx(value), name


def test_a_model_of_that_folder_runs_int8(export, drawn_dataset, tmp_path):
    export("Export.precision=int8", "Export.calibration_images=10")
    picture = str(drawn_dataset / "images/0_0.png")

    def feature(engine):
        model = create_model(str(tmp_path / "output"), engine=engine, device="cpu")
        return next(iter(model.predict(picture)))["feature"]

    exact = feature("paddle")
    for engine in ("openvino", "onnxruntime", "auto"):
        cosine = float(feature(engine) @ exact)
        assert 0.98 < cosine < 1 - 1e-6, engine


@pytest.fixture
def black_train(tmp_path, drawn_dataset):
    """A dataset whose train.txt has black pictures only: int8 cuts off all that is not black."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "black.png")
    (folder / "train.txt").write_text("black.png 0\n", encoding="utf-8")
    for name in ("gallery.txt", "query.txt"):
        rows = (drawn_dataset / name).read_text(encoding="utf-8").splitlines()
        text = "".join(f"{drawn_dataset}/{row}\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_fall_of_recall_publishes_nothing(export, black_train, tmp_path):
    fell = export("Export.precision=int8", dataset=black_train).to_json()["recalls"]
    fall = 100 * (fell["fp32"]["recall1"] - fell["int8"]["recall1"])
    assert fall > 1, "the test needs a network that int8 harms"
    output = tmp_path / "output"
    published = export().exported.files  # fp32, which takes the files of int8 away
    assert not (output / "features.int8.onnx").exists()
    before = [(output / name).read_bytes() for name in published]
    tight = ("Export.precision=int8", f"Export.max_recall_drop={fall - 0.01}")
    with pytest.raises(RecallDropError, match=r"Export\.max_recall_drop allows") as raised:
        export(*tight, dataset=black_train)
    assert isinstance(raised.value, ModelError)
    assert raised.value.exit_code == 1
    assert [(output / name).read_bytes() for name in published] == before
    assert not (output / "features.int8.onnx").exists()
    assert not list(output.glob(".*"))
    export("Export.precision=int8", f"Export.max_recall_drop={fall}", dataset=black_train)
    assert _toolkit_section(output)["precision"] == "int8"


@pytest.mark.parametrize("missing", ["gallery.txt", "query.txt", "train.txt"])
def test_a_missing_list_is_told_at_once(export, black_train, tmp_path, missing):
    (black_train / missing).unlink()
    with pytest.raises(DatasetError, match=rf"(?s)Export\.precision int8 is measured.*{missing}"):
        export("Export.precision=int8", dataset=black_train)
    assert not (tmp_path / "output" / "inference.yml").exists()


def test_fp16_needs_no_train_list(export, black_train):
    (black_train / "train.txt").unlink()
    assert export("Export.precision=fp16", dataset=black_train).to_json()["precision"] == "fp16"


@pytest.mark.parametrize(
    ("override", "named"),
    [("Evaluate.engine=paddle", "Evaluate.engine"), ("Export.onnx=false", "Export.onnx")],
)
def test_keys_that_exclude_fewer_bits_are_named(export, override, named):
    with pytest.raises(ConfigError, match=named):
        export("Export.precision=int8", override)


def test_fp32_says_so(export, tmp_path):
    assert export().to_json()["precision"] == "fp32"
    assert "precision" not in _toolkit_section(tmp_path / "output")
