import json
import logging
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml

from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference import export
from toolkit.inference.engines.engine import ENGINES
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.engines.paddle import PaddleEngine
from toolkit.inference.export import ExportReport, export_inference
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
from toolkit.models.necks import BNNeck
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import Device


def _images(count: int, side: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, side, side), dtype=np.float32)


def test_the_graph_gives_the_feature_before_it_is_normalised(
    exported: ExportReport, network: Recognizer, patches: np.ndarray
) -> None:
    features = PaddleEngine(exported.directory, Device("cpu"), 1).run(patches)
    expected = NetworkEngine(network).run(patches)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(np.linalg.norm(features, axis=1) - 1).min() > 0.1


def test_the_files_say_what_they_are(exported: ExportReport, side: int) -> None:
    assert sorted(file.name for file in exported.directory.iterdir()) == [
        "features.onnx",
        "inference.json",
        "inference.onnx",
        "inference.pdiparams",
        "inference.yml",
    ]
    document = yaml.safe_load((exported.directory / "inference.yml").read_text())
    assert document["Global"] == {"model_name": "Tiny_rec"}
    assert document["Toolkit"]["dimension"] == exported.dimension == 64
    assert document["Toolkit"]["image_size"] == [side, side]
    assert document["Toolkit"]["weights"] == exported.weights
    graphs = [name for name in exported.files if name != "inference.yml"]
    assert document["Toolkit"]["files"] == {
        name: fingerprint_file(exported.directory / name) for name in graphs
    }
    assert set(graphs) == set(exported.files) - {"inference.yml"}
    assert set(exported.cosines) == {"paddle", "onnxruntime", "openvino"}
    assert json.loads((exported.directory / "inference.json").read_text())
    assert exported.lowest_cosine > 1 - 1e-5


def test_the_training_network_is_untouched(
    network: Recognizer, steps: list, side: int, tmp_path: Path
) -> None:
    network.train()
    before = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    flags = [layer.training for layer in network.sublayers(include_self=True)]
    paddle.seed(11)
    expected_draw = paddle.rand([3]).numpy()
    paddle.seed(11)
    export_inference(
        network, tmp_path, model_name="x", image_size=(side, side), transform_ops=steps
    )
    np.testing.assert_array_equal(paddle.rand([3]).numpy(), expected_draw)
    assert [layer.training for layer in network.sublayers(include_self=True)] == flags
    assert all(flags)
    after = network.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name].numpy(), value)


def test_other_files_stay_and_stale_graphs_go(
    one_convolution: Recognizer, steps: list, tmp_path: Path
) -> None:
    stale = ("inference.pdmodel", "inference.onnx", "features.onnx", "features.int8.onnx")
    for name in ("config.yaml", "inference.yml", *stale):
        (tmp_path / name).write_text("old")
    report = export_inference(
        one_convolution,
        tmp_path,
        model_name="x",
        image_size=(48, 32),
        transform_ops=steps,
        onnx=False,
    )
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"config.yaml", "inference.json", "inference.pdiparams", "inference.yml"}
    assert set(report.files) == names - {"config.yaml"}
    assert report.image_size == (48, 32)
    assert "old" not in (tmp_path / "inference.yml").read_text()


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("name", ["paddle", "onnxruntime", "openvino"])
def test_a_graph_that_computes_something_else_is_not_written(
    name: str,
    size: int,
    one_convolution: Recognizer,
    steps: list,
    side: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = ENGINES.get(name)
    run = engine.run

    def wrong(self: object, images: np.ndarray) -> np.ndarray:
        features = run(self, images)
        if len(images) == size:
            features[-1] = features[-1][::-1]
        return features

    monkeypatch.setattr(engine, "run", wrong)
    with pytest.raises(ModelError, match=f"engine {name}, the lowest cosine"):
        export_inference(
            one_convolution, tmp_path, model_name="x", image_size=(side, side), transform_ops=steps
        )
    assert not list(tmp_path.iterdir())


def test_a_network_of_nan_is_refused(
    one_convolution: Recognizer, steps: list, side: int, tmp_path: Path
) -> None:
    one_convolution.neck.feat_bn.weight.set_value(np.full(8, np.nan, np.float32))
    with pytest.raises(ModelError, match="not finite"):
        export_inference(
            one_convolution, tmp_path, model_name="x", image_size=(side, side), transform_ops=steps
        )
    assert not list(tmp_path.iterdir())


def test_without_paddle2onnx_the_export_says_so(
    one_convolution: Recognizer,
    steps: list,
    side: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(export, "is_installed", lambda _: False)
    options = {"model_name": "x", "image_size": (side, side), "transform_ops": steps}
    with caplog.at_level(logging.INFO, logger="toolkit"):
        report = export_inference(one_convolution, tmp_path, **options)
    assert "paddle2onnx is not installed" in caplog.text
    assert report.files == ("inference.json", "inference.pdiparams", "inference.yml")


def test_a_graph_that_cannot_be_converted(
    one_convolution: Recognizer,
    steps: list,
    side: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: Path, folder: Path, *__: object) -> None:
        (folder / "inference.onnx").write_bytes(b"half")
        raise ModelError("no such operator")

    monkeypatch.setattr(export, "write_onnx_files", refuse)
    options = {"model_name": "x", "image_size": (side, side), "transform_ops": steps}
    with pytest.raises(ModelError, match="no such operator"):
        export_inference(one_convolution, tmp_path, **options, onnx=True)
    assert not list(tmp_path.iterdir())
    report = export_inference(one_convolution, tmp_path, **options)
    assert "no ONNX files. no such operator" in caplog.text
    assert report.files == ("inference.json", "inference.pdiparams", "inference.yml")
    assert set(report.cosines) == {"paddle"}


def test_an_export_says_nothing_on_standard_output(
    one_convolution: Recognizer, steps: list, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export_inference(
        one_convolution, tmp_path, model_name="x", image_size=(48, 32), transform_ops=steps
    )
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_branches_are_fused_in_the_export_only(steps: list, tmp_path: Path) -> None:
    paddle.seed(0)
    network = Recognizer(PPLCNetV2(class_expand=512, retrieval=True), BNNeck(512))
    network.train()
    for seed in range(3):
        network.embed(paddle.to_tensor(_images(4, 64, seed)))
    export_inference(
        network, tmp_path, model_name="PP-ShiTuV2_rec", image_size=(64, 64), transform_ops=steps
    )
    images = _images(2, 64)
    expected = unit_vectors(NetworkEngine(network).run(images))
    features = unit_vectors(PaddleEngine(tmp_path, Device("cpu"), 1).run(images))
    assert (features * expected).sum(axis=1).min() > 1 - 1e-5
    parameters = sum(int(parameter.size) for parameter in network.parameters())
    assert (tmp_path / "inference.pdiparams").stat().st_size < 4 * parameters
    network.embed(paddle.to_tensor(images))  # a fused network would refuse to be trained
