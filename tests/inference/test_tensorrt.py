"""TensorRT by its documentation: a stand-in takes its place, for there is no GPU here."""

import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import paddle
import pytest

from toolkit.inference.engines import paddle as paddle_engine
from toolkit.inference.engines import tensorrt
from toolkit.inference.engines.paddle import PaddleEngine
from toolkit.inference.export import ExportReport
from toolkit.runtime import Device


class _StandIn:
    """`paddle.tensorrt` as its documentation describes it; what it "optimises" it copies."""

    PrecisionMode = SimpleNamespace(FP32="FP32")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.failure: Exception | None = None
        self.conversions = 0

    def Input(self, warmup_data: tuple[np.ndarray, ...]) -> object:  # noqa: N802 - its name
        self.shapes = [batch.shape for batch in warmup_data]
        return object()

    def TensorRTConfig(self, **options: Any) -> SimpleNamespace:  # noqa: N802 - its name
        assert options["precision_mode"] == "FP32"
        return SimpleNamespace(**options)

    def convert(self, stem: str, config: SimpleNamespace) -> None:
        self.conversions += 1
        if self.failure is not None:
            raise self.failure
        for suffix in (".json", ".pdiparams"):
            shutil.copy(stem + suffix, config.save_model_dir + suffix)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _StandIn:
    """A Paddle that says it has a GPU and TensorRT, and computes on the CPU."""
    found = _StandIn()
    real = tensorrt.import_optional

    def find(module: str, *, purpose: str) -> Any:
        return found if module == "paddle.tensorrt" else real(module, purpose=purpose)

    monkeypatch.setattr(tensorrt, "import_optional", find)
    monkeypatch.setattr(tensorrt, "is_built_in", lambda: True)
    monkeypatch.setattr(paddle_engine, "gpus_of_paddle", lambda: 1)
    monkeypatch.setattr(paddle.device.cuda, "get_device_name", lambda: "a GPU", raising=False)
    configure = paddle_engine._configure
    monkeypatch.setattr(
        paddle_engine,
        "_configure",
        lambda config, _, threads, *, is_json: configure(
            config, Device("cpu"), threads, is_json=is_json
        ),
    )
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "cache"))
    return found


def _open(exported: ExportReport) -> PaddleEngine:
    return PaddleEngine(exported.directory, Device("gpu", (0,)), threads=1)


def test_the_graph_is_converted_once(
    stand_in: _StandIn,
    exported: ExportReport,
    patches: np.ndarray,
    side: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = PaddleEngine(exported.directory, Device("cpu"), threads=1).run(patches)
    with caplog.at_level(logging.INFO, logger="toolkit"):
        for _ in range(2):
            features = _open(exported).run(patches)
            np.testing.assert_allclose(features, expected, atol=1e-5)
    assert stand_in.conversions == 1
    assert stand_in.shapes == [(1, 3, side, side), (16, 3, side, side), (32, 3, side, side)]
    assert "TensorRT runs" in caplog.text
    (folder,) = (tmp_path / "cache" / "tensorrt").iterdir()
    assert {file.name for file in folder.iterdir()} == {"inference.json", "inference.pdiparams"}


def test_a_larger_batch_is_run_in_parts(
    stand_in: _StandIn, exported: ExportReport, patches: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    call = paddle_engine._Request.__call__

    def counted(self: Any, images: np.ndarray) -> np.ndarray:
        sizes.append(len(images))
        return call(self, images)

    engine = _open(exported)
    monkeypatch.setattr(paddle_engine._Request, "__call__", counted)
    images = np.concatenate([patches] * 14)
    features = engine.run(images)
    assert sizes == [32, 32, 6]
    np.testing.assert_allclose(features[-5:], features[:5], atol=1e-5)


def test_what_fails_leaves_paddle_s_own_kernels(
    stand_in: _StandIn,
    exported: ExportReport,
    patches: np.ndarray,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in.failure = RuntimeError("no memory")
    assert _open(exported).run(patches).shape == (5, exported.dimension)
    assert "TensorRT is not used: no memory" in caplog.text
    assert not [item for item in (tmp_path / "cache" / "tensorrt").iterdir() if item.is_dir()]


def test_other_features_are_not_used(
    stand_in: _StandIn,
    exported: ExportReport,
    patches: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = PaddleEngine(exported.directory, Device("cpu"), threads=1).run(patches)
    call = paddle_engine._Request.__call__
    made: list[object] = []

    def differently(self: Any, images: np.ndarray) -> np.ndarray:
        made.append(self) if self not in made else None
        features = call(self, images)
        # The first to be asked in the comparison is TensorRT's.
        return features[:, ::-1] if self is made[0] else features

    monkeypatch.setattr(paddle_engine._Request, "__call__", differently)
    engine = _open(exported)
    assert "TensorRT is not used: its features differ" in caplog.text
    np.testing.assert_allclose(engine.run(patches), expected, atol=1e-5)


def test_a_build_without_it_converts_nothing(
    exported: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "cache"))
    assert not tensorrt.is_built_in()  # Paddle for the CPU
    files = (exported.directory / "inference.json", exported.directory / "inference.pdiparams")
    assert tensorrt.converted_folder(*files) is None
    monkeypatch.setattr(tensorrt, "is_built_in", lambda: True)
    assert tensorrt.converted_folder(exported.directory / "inference.pdmodel", files[1]) is None
    assert not (tmp_path / "cache").exists()
