"""What every engine promises, and which one is chosen."""

import logging
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit.data.transforms.tensor import NormalizeImage
from toolkit.errors import ConfigError, ExtraError, ModelError
from toolkit.inference.engines import devices, engine
from toolkit.inference.engines.engine import ENGINES, choose_engine, open_engine
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.export import ExportReport
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import Device

CPU, GPU = Device("cpu"), Device("gpu", (0,))
ONNX = ("onnxruntime", "openvino")


@pytest.fixture
def pixels(patches: np.ndarray) -> np.ndarray:
    """Pictures of the kind that the tiny network knows, uint8 [5, h, w, 3]."""
    return np.clip(patches.transpose(0, 2, 3, 1) * 60 + 120, 0, 255).astype(np.uint8)


def _as_taken(name: str, pixels: np.ndarray) -> np.ndarray:
    return pixels if name in ONNX else _normalised(pixels)


def _normalised(pixels: np.ndarray) -> np.ndarray:
    """The textbook formula, in 64 bits."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    values = (pixels / 255.0 - mean) / deviation
    return values.transpose(0, 3, 1, 2).astype(np.float32)


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.mark.parametrize("name", ENGINES.names())
def test_the_features_are_the_network_s(
    name: str, exported: ExportReport, network: Recognizer, pixels: np.ndarray
) -> None:
    opened = open_engine(name, exported.directory, CPU, threads=1)
    features = opened.run(_as_taken(name, pixels))
    assert opened.takes == ("pixels" if name in ONNX else "tensor")
    assert features.dtype == np.float32
    expected = NetworkEngine(network).run(_normalised(pixels))
    assert (expected @ expected.T).std() > 1e-3  # they can be told apart
    if name in ONNX:
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
        expected = _unit(expected)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ENGINES.names())
def test_the_features_do_not_depend_on_the_batch_size(
    name: str, exported: ExportReport, pixels: np.ndarray
) -> None:
    opened, images = open_engine(name, exported.directory, CPU, 1), _as_taken(name, pixels)
    together = opened.run(images)
    assert together.shape == (5, exported.dimension)
    for size in (1, 2, 4):
        parts = [opened.run(images[start : start + size]) for start in range(0, 5, size)]
        np.testing.assert_allclose(np.concatenate(parts), together, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES.names())
@pytest.mark.parametrize("threads", [1, 3])
def test_streams_compute_the_same(
    name: str, threads: int, exported: ExportReport, pixels: np.ndarray
) -> None:
    opened, images = open_engine(name, exported.directory, CPU, threads), _as_taken(name, pixels)
    expected, streams = opened.run(images), opened.streams()
    assert len(streams) == (threads if name in ONNX else 1)
    with ThreadPoolExecutor(threads) as pool:
        for features in pool.map(lambda stream: [stream(images) for _ in range(3)], streams):
            np.testing.assert_allclose(features, [expected] * 3, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES.names())
def test_threads_do_not_mix_their_features(
    name: str, exported: ExportReport, pixels: np.ndarray
) -> None:
    opened = open_engine(name, exported.directory, CPU, threads=1)
    images = _as_taken(name, pixels)[:, np.newaxis]
    expected = [opened.run(image) for image in images]

    def differs(number: int) -> bool:
        return not np.allclose(opened.run(images[number]), expected[number], atol=1e-5)

    with ThreadPoolExecutor(5) as pool:
        assert not any(pool.map(differs, list(range(5)) * 8))


@pytest.mark.parametrize("name", ONNX)
def test_a_result_is_not_overwritten_by_the_next_call(
    name: str, exported: ExportReport, pixels: np.ndarray
) -> None:
    opened = open_engine(name, exported.directory, CPU, threads=1)
    first = opened.run(pixels[:1])
    kept = first.copy()
    opened.run(pixels[1:2])
    np.testing.assert_array_equal(first, kept)


def test_the_network_has_one_stream(network: Recognizer, patches: np.ndarray) -> None:
    opened = NetworkEngine(network)
    (stream,) = opened.streams()
    np.testing.assert_array_equal(stream(patches), opened.run(patches))
    assert opened.takes == "tensor"


@pytest.mark.parametrize("name", ONNX)
def test_an_export_without_onnx_says_how_to_get_it(
    name: str, exported: ExportReport, tmp_path: Path
) -> None:
    for file in ("inference.json", "inference.pdiparams", "inference.yml"):
        shutil.copy(exported.directory / file, tmp_path)
    with pytest.raises(ModelError, match=r"no features.onnx.*Global.mode=export") as caught:
        open_engine(name, tmp_path, CPU, threads=1)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ONNX)
def test_a_damaged_file_is_named(name: str, exported: ExportReport, tmp_path: Path) -> None:
    whole = (exported.directory / "features.onnx").read_bytes()
    (tmp_path / "features.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"cannot open .*features.onnx"):
        open_engine(name, tmp_path, CPU, threads=1)


@pytest.mark.parametrize("name", ONNX)
def test_a_missing_package_names_its_extra(
    name: str, exported: ExportReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExtraError, match=rf"image-retrieval-toolkit\[{name}\]"):
        open_engine(name, exported.directory, CPU, threads=1)


@pytest.mark.parametrize("name", ONNX)
def test_a_precision_has_its_file(
    name: str, exported: ExportReport, tmp_path: Path, pixels: np.ndarray
) -> None:
    shutil.copy(exported.directory / "features.onnx", tmp_path / "features.int8.onnx")
    opened = open_engine(name, tmp_path, CPU, 1, precision="int8")
    assert opened.run(pixels).shape == (5, exported.dimension)
    with pytest.raises(ModelError, match=r"no features\.fp16\.onnx"):
        open_engine(name, tmp_path, CPU, 1, precision="fp16")


def test_an_unknown_engine_is_named(exported: ExportReport) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'paddle'"):
        open_engine("padle", exported.directory, CPU, threads=1)


@pytest.mark.parametrize(
    ("installed", "files", "expected"),
    [
        ({"paddle", "onnxruntime", "openvino"}, {"features.onnx"}, "onnxruntime"),
        ({"paddle", "openvino"}, {"features.onnx"}, "openvino"),
        ({"paddle", "onnxruntime"}, {"features.onnx"}, "onnxruntime"),
        ({"onnxruntime"}, {"features.onnx"}, "onnxruntime"),
        ({"paddle"}, {"features.onnx"}, "paddle"),
        ({"paddle", "openvino"}, set(), "paddle"),
        ({"paddle", "openvino"}, {"features.int8.onnx"}, "paddle"),
        (set(), {"features.onnx"}, "paddle"),
    ],
)
def test_the_fastest_that_is_there_is_chosen(
    installed: set[str],
    files: set[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for file in files:
        (tmp_path / file).touch()
    monkeypatch.setattr(engine, "is_installed", installed.__contains__)
    with caplog.at_level(logging.INFO, logger="toolkit"):
        assert choose_engine(tmp_path, CPU) == expected
    assert caplog.messages == [f"Engine: {expected}."]


def test_int8_has_another_fastest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "features.int8.onnx").touch()
    monkeypatch.setattr(engine, "is_installed", lambda _name: True)
    assert choose_engine(tmp_path, CPU, "int8") == "openvino"


@pytest.mark.parametrize(
    ("gpus_of_paddle", "onnxruntime_has_cuda", "expected"),
    [(1, True, "paddle"), (0, True, "onnxruntime"), (0, False, "onnxruntime")],
)
def test_a_gpu_is_used_by_whoever_can(
    gpus_of_paddle: int,
    onnxruntime_has_cuda: bool,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "features.onnx").touch()
    monkeypatch.setattr(engine, "gpus_of_paddle", lambda: gpus_of_paddle)
    monkeypatch.setattr(engine, "onnxruntime_has_cuda", lambda: onnxruntime_has_cuda)
    assert choose_engine(tmp_path, GPU) == expected


@pytest.mark.parametrize("name", ["paddle", *ONNX])
def test_a_gpu_that_an_engine_cannot_use_means_the_cpu(
    name: str, exported: ExportReport, pixels: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    opened = open_engine(name, exported.directory, GPU, threads=1)
    assert opened.run(_as_taken(name, pixels)).shape == (5, exported.dimension)
    assert f"The engine {name}, as it is installed, cannot use a GPU" in caplog.text


@pytest.mark.parametrize(("status", "expected"), [(0, 2), (100, 0)])
def test_gpus_are_counted_by_the_driver(
    status: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(address: object) -> int:
        address._obj.value = 2  # what a pointer of ctypes points to
        return 0

    driver = SimpleNamespace(cuInit=lambda _: status, cuDeviceGetCount=count)
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda _: driver)
    assert devices.gpus_of_driver() == expected
    device = devices.machine_device("auto")
    assert device == (GPU if expected else CPU)


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise OSError

    monkeypatch.setattr(devices.ctypes, "CDLL", missing)
    assert devices.gpus_of_driver() == 0


def test_the_formula_of_this_page_is_the_step_s(pixels: np.ndarray) -> None:
    step = NormalizeImage()
    values = np.stack([step.apply(picture).transpose(2, 0, 1) for picture in pixels])
    np.testing.assert_allclose(values, _normalised(pixels), atol=1e-6)
