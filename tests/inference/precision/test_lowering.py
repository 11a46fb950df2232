"""An export whose ONNX engines run fewer bits."""

import shutil

import numpy as np
import pytest
import yaml

from toolkit import create_model
from toolkit.build.embedding import build_exporter
from toolkit.build.model import build_recognizer
from toolkit.errors import ModelError
from toolkit.inference.precision.lowering import lower_precision, note_facts
from toolkit.runtime import seed_framework


@pytest.fixture(scope="module")
def exported(tiny_config, tmp_path_factory):
    """A tiny network with ONNX files; tests that change it copy it first."""
    from toolkit.config.load import load_config

    folder = tmp_path_factory.mktemp("export")
    file = folder / "recipe.yaml"
    file.write_text(tiny_config.format(dataset="none", output="none"), encoding="utf-8")
    config = load_config(file, ["Export.onnx=true"])
    seed_framework(0)
    build_exporter(config, build_recognizer(config.Arch, num_classes=None))(folder / "model")
    return folder / "model"


@pytest.fixture
def directory(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "model")


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (24, 4, 4, 3), dtype=np.uint8)
    return patches.repeat(8, axis=1).repeat(8, axis=2)


def _features(directory, images, engine):
    model = create_model(str(directory), engine=engine, device="cpu")
    results = model.predict([image[..., ::-1] for image in images], batch_size=8)
    return np.stack([result["feature"] for result in results])


def _section(directory):
    text = (directory / "inference.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["Toolkit"]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_the_engines_run_the_file_of_the_precision(directory, images, engine, precision):
    expected = _features(directory, images, engine)
    written = lower_precision(directory, precision, images)
    assert written == directory / f"features.{precision}.onnx"
    (directory / "features.onnx").unlink()  # so that it can be no other file
    features = _features(directory, images, engine)
    assert not np.array_equal(features, expected)
    assert (features * expected).sum(axis=1).min() > (0.99 if precision == "int8" else 1 - 1e-5)


def test_paddle_goes_on_in_fp32(directory, images):
    expected = _features(directory, images, "paddle")
    lower_precision(directory, "int8", images)
    np.testing.assert_array_equal(_features(directory, images, "paddle"), expected)


def test_what_is_run_is_written_down(directory, images):
    before = _section(directory)
    lower_precision(directory, "int8", images)
    after = _section(directory)
    assert after["precision"] == "int8"
    assert after["files"].items() > before["files"].items()
    assert set(after["files"]) - set(before["files"]) == {"features.int8.onnx"}
    same = set(before) - {"files"}
    assert {key: after[key] for key in same} == {key: before[key] for key in same}


def test_a_file_of_another_export_is_noticed(directory, images):
    written = lower_precision(directory, "int8", images)
    lower_precision(directory, "fp16")
    written.with_name("features.fp16.onnx").write_bytes(written.read_bytes())
    with pytest.raises(ModelError, match=r"features\.fp16\.onnx has the fingerprint"):
        create_model(str(directory), engine="openvino")


def test_int8_without_pictures_writes_nothing(directory):
    before = sorted(directory.iterdir())
    with pytest.raises(ValueError, match="needs images"):
        lower_precision(directory, "int8")
    assert sorted(directory.iterdir()) == before
    assert "precision" not in _section(directory)


def test_an_export_without_onnx_files_cannot_be_lowered(directory):
    (directory / "features.onnx").unlink()
    with pytest.raises(ModelError, match=r"no features\.onnx"):
        lower_precision(directory, "fp16")


@pytest.mark.parametrize("text", ["", "a: [", "Global: {model_name: x}", None])
def test_facts_go_into_exports_of_ours_only(tmp_path, text):
    if text is not None:
        (tmp_path / "inference.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="export the model again"):
        note_facts(tmp_path, {"precision": "int8"})
