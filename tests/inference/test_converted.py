"""Official models, which are published for Paddle, converted once."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from toolkit import create_model
from toolkit.errors import ModelError
from toolkit.inference import converted, onnx_export
from toolkit.inference.converted import converted_folder
from toolkit.inference.export import ExportReport

NAME = "PP-ShiTuV2_rec"


@pytest.fixture
def official(exported: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model as PaddleX puts it into its cache: Paddle's files, and nothing that only we write."""
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "paddlex"))
    folder = tmp_path / "paddlex" / "official_models" / NAME
    folder.mkdir(parents=True)
    for name in ("inference.json", "inference.pdiparams"):
        shutil.copy(exported.directory / name, folder)
    document = yaml.safe_load((exported.directory / "inference.yml").read_text())
    document["Global"]["model_name"] = NAME
    del document["Toolkit"]
    (folder / "inference.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder


def _forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ModelError("converted again")

    monkeypatch.setattr(onnx_export, "write_onnx_files", refuse)


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_it_is_converted_once(
    engine: str,
    official: Path,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = {file.name: file.read_bytes() for file in official.iterdir()}
    paddle = create_model(NAME, device="cpu", engine="paddle")
    expected = [result["feature"] for result in paddle.predict(pictures)]
    assert not (tmp_path / "own" / "onnx_models").exists()
    for _ in range(2):
        model = create_model(NAME, device="cpu", engine=engine)
        features = [result["feature"] for result in model.predict(pictures)]
        np.testing.assert_allclose(features, expected, atol=1e-5)
        _forbid(monkeypatch)
    assert "converted again" not in caplog.text
    folder = tmp_path / "own" / "onnx_models" / NAME
    assert {file.name for file in folder.iterdir()} == {"features.onnx", "inference.yml"}
    assert {file.name: file.read_bytes() for file in official.iterdir()} == before


def test_another_model_of_the_name_is_converted_again(official: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = converted_folder(official, cache, engine="onnxruntime", device="cpu")
    graph = first / "features.onnx"
    graph.write_bytes(b"of the first")
    assert converted_folder(official, cache, engine="auto", device="cpu") == first
    assert graph.read_bytes() == b"of the first"
    parameters = official / "inference.pdiparams"
    content = parameters.read_bytes()
    parameters.unlink()
    parameters.write_bytes(content)
    assert converted_folder(official, cache, engine="auto", device="cpu") == first
    assert graph.read_bytes() != b"of the first"


def test_a_converted_model_that_is_damaged_is_noticed(official: Path, tmp_path: Path) -> None:
    create_model(NAME, device="cpu", engine="onnxruntime")
    file = tmp_path / "own" / "onnx_models" / NAME / "features.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="mixed"):
        create_model(NAME, device="cpu", engine="onnxruntime")


def test_what_cannot_be_converted_is_run_by_paddle(
    official: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _forbid(monkeypatch)
    cache = tmp_path / "cache"
    assert converted_folder(official, cache, engine="auto", device="cpu") == official
    assert "is run by Paddle: converted again" in caplog.text
    with pytest.raises(ModelError, match="converted again"):
        converted_folder(official, cache, engine="openvino", device="cpu")
    assert not list(cache.glob("*"))


def test_a_cache_that_cannot_be_written_to_leaves_paddle(
    official: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").touch()
    folder = converted_folder(official, tmp_path / "cache", engine="auto", device="cpu")
    assert folder == official
    assert "is run by Paddle" in caplog.text


@pytest.mark.parametrize("missing", ["paddle2onnx", "paddle", "onnx engines"])
def test_without_a_package_the_model_stays_as_it_is(
    missing: str, official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = converted.ONNX_ENGINES if missing == "onnx engines" else (missing,)
    monkeypatch.setattr(converted, "is_installed", lambda name: name not in gone)
    assert converted_folder(official, tmp_path / "cache", engine="auto", device="cpu") == official


def test_a_gpu_runs_the_paddle_files(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.runtime import Device

    monkeypatch.setattr(converted, "machine_device", lambda _: Device("gpu", (0,)))
    assert converted_folder(official, tmp_path / "cache", engine="auto", device="gpu") == official


def test_our_own_exports_are_taken_as_they_are(exported: ExportReport, tmp_path: Path) -> None:
    folder = converted_folder(exported.directory, tmp_path, engine="auto", device="cpu")
    assert folder == exported.directory
