"""The two ONNX files, and the faults of paddle2onnx that are mended in them."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import paddle
import pytest
from onnx import numpy_helper
from paddle import nn

from toolkit.errors import ModelError
from toolkit.inference import onnx_export
from toolkit.inference.export import ExportReport
from toolkit.inference.onnx_export import convert_to_onnx, write_features_onnx, write_onnx_files
from toolkit.inference.onnx_mending import mended
from toolkit.inference.preprocess import pipeline_of


def _saved(layer: nn.Layer, folder: Path, side: int | None) -> Path:
    """Saves a layer behind a convolution that changes nothing, for a model needs parameters."""
    same = nn.Conv2D(3, 3, 1, bias_attr=False)
    same.weight.set_value(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1))
    model = nn.Sequential(same, layer)
    model.eval()
    spec = paddle.static.InputSpec([None, 3, side, side], "float32", name="x")
    paddle.jit.save(model, str(folder / "inference"), input_spec=[spec])
    return folder / "inference.json"


def _converted(graph: Path) -> bytes:
    return convert_to_onnx(graph, graph.with_suffix(".pdiparams"))


def _run(file: Path | bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file if isinstance(file, bytes) else str(file))
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def _steps(**normalize: object) -> list:
    return [{"ResizeImage": {"size": 8}}, {"NormalizeImage": normalize}, {"ToCHWImage": {}}]


def test_what_goes_in_and_comes_out(exported: ExportReport, side: int) -> None:
    def ends(name: str) -> list[tuple]:
        session = onnxruntime.InferenceSession(str(exported.directory / name))
        (entry,), (result,) = session.get_inputs(), session.get_outputs()
        return [(end.name, end.type, end.shape) for end in (entry, result)]

    (name, kind, shape), (_, features, sizes) = ends("inference.onnx")
    assert (name, kind, shape[1:]) == ("x", "tensor(float)", [3, side, side])
    assert (features, sizes[1:]) == ("tensor(float)", [exported.dimension])
    assert isinstance(shape[0], str)
    assert isinstance(sizes[0], str)
    assert ends("features.onnx") == [
        ("images", "tensor(uint8)", ["b", side, side, 3]),
        ("features", "tensor(float)", ["b", exported.dimension]),
    ]


def test_the_weights_are_what_quantizers_take_for_weights(exported: ExportReport) -> None:
    graph = onnx.load(str(exported.directory / "features.onnx")).graph
    assert not [node for node in graph.node if node.op_type == "Constant"]
    assert len(graph.initializer) > 20


def test_the_steps_of_the_model_are_in_the_graph(tmp_path: Path) -> None:
    # The network is the mean colour, so that its feature can be computed by hand.
    layer = nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten())
    _saved(layer, tmp_path, 8)
    steps = pipeline_of(_steps(scale=0.01, mean=[0.1, 0.2, 0.3], std=[0.5, 0.25, 2.0]))
    write_onnx_files(tmp_path, tmp_path, steps)
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[0] = [200, 100, 50]
    pixels[1] = [10, 20, 30]
    raw = np.array([[(2 - 0.1) / 0.5, (1 - 0.2) / 0.25, (0.5 - 0.3) / 2], [0, 0, 0]])
    raw[1] = [(0.1 - 0.1) / 0.5, (0.2 - 0.2) / 0.25, (0.3 - 0.3) / 2]
    assert not raw[1].any()
    features = _run(tmp_path / "features.onnx", pixels)
    np.testing.assert_allclose(features[0], raw[0] / np.linalg.norm(raw[0]), atol=1e-6)
    tensors = np.stack([steps(picture, np.random.default_rng(0)) for picture in pixels])
    np.testing.assert_allclose(_run(tmp_path / "inference.onnx", tensors), raw, atol=1e-6)


def test_a_feature_of_zeros_stays_one(tmp_path: Path) -> None:
    layer = nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.ReLU())
    _saved(layer, tmp_path, 8)
    steps = pipeline_of(_steps(mean=[1, 1, 1], std=[1, 1, 1]))
    write_onnx_files(tmp_path, tmp_path, steps)
    features = _run(tmp_path / "features.onnx", np.full((3, 8, 8, 3), 128, np.uint8))
    np.testing.assert_array_equal(features, np.zeros((3, 3), np.float32))


def test_a_map_is_flattened(tmp_path: Path) -> None:
    """Exports of others may end in [b, d, 1, 1]."""
    _saved(nn.AdaptiveAvgPool2D(1), tmp_path, 8)
    write_onnx_files(tmp_path, tmp_path, pipeline_of(_steps()))
    assert _run(tmp_path / "features.onnx", np.ones((2, 8, 8, 3), np.uint8)).shape == (2, 3)


def test_a_free_size_is_refused(tmp_path: Path) -> None:
    graph = _saved(nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten()), tmp_path, None)
    (tmp_path / "inference.onnx").write_bytes(_converted(graph))
    with pytest.raises(ModelError, match="expected images of a fixed size"):
        write_features_onnx(
            tmp_path / "inference.onnx", tmp_path / "features.onnx", pipeline_of(_steps())
        )
    assert not (tmp_path / "features.onnx").exists()


def test_what_paddle2onnx_says_is_in_the_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("inference.json", "inference.pdiparams"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match="Failed to convert"):
        convert_to_onnx(tmp_path / "inference.json", tmp_path / "inference.pdiparams")
    sys.stdout.write("afterwards\n")
    assert capfd.readouterr().out == "afterwards\n"


def test_a_model_larger_than_an_onnx_file_is_refused(
    exported: ExportReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "_LARGEST_BYTES", 1000)
    parameters = exported.directory / "inference.pdiparams"
    with pytest.raises(ModelError, match=r"an ONNX file can have 1000\. Set Export.onnx to false"):
        convert_to_onnx(exported.directory / "inference.json", parameters)


def test_optimizers_that_install_packages_are_left_alone(
    exported: ExportReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a conversion starts no process")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.delenv("POLYGRAPHY_AUTOINSTALL_DEPS", raising=False)
    convert_to_onnx(
        exported.directory / "inference.json", exported.directory / "inference.pdiparams"
    )
    assert "POLYGRAPHY_AUTOINSTALL_DEPS" not in os.environ


class TestMending:
    """paddle2onnx 2.1 beside Paddle 3.3."""

    @pytest.mark.parametrize("value", [0.0, -1.5])
    def test_a_padding_has_its_value(self, value: float, tmp_path: Path) -> None:
        layer = nn.Sequential(nn.Pad2D([1, 2, 0, 1], value=value), nn.Flatten())
        graph = _saved(layer, tmp_path, 4)
        converted = _converted(graph)
        images = np.random.default_rng(0).standard_normal((2, 3, 4, 4), dtype=np.float32)
        np.testing.assert_array_equal(
            _run(converted, images), layer(paddle.to_tensor(images)).numpy()
        )
        # What memory holds cannot be foreseen, so the fault is put in by hand.
        wrong = onnx.load_from_string(converted)
        (pad,) = [node for node in wrong.graph.node if node.op_type == "Pad"]
        (constant,) = [node for node in wrong.graph.node if pad.input[2] in node.output]
        constant.attribute[0].t.CopyFrom(numpy_helper.from_array(np.float32([4e18]).reshape(())))
        np.testing.assert_array_equal(
            _run(mended(wrong.SerializeToString(), graph), images),
            layer(paddle.to_tensor(images)).numpy(),
        )

    @pytest.mark.parametrize(
        "layer",
        [
            nn.MaxPool2D(3, 1, padding="SAME"),
            nn.MaxPool2D(3, 1, padding=1),
            nn.AvgPool2D(3, 1, padding=1),
            nn.AvgPool2D(3, 1, padding=1, exclusive=False),
            nn.MaxPool2D(2, 2),
            nn.AdaptiveAvgPool2D(1),
        ],
        ids=repr,
    )
    def test_a_pooling_has_its_kernel(self, layer: nn.Layer, tmp_path: Path) -> None:
        graph = _saved(nn.Sequential(layer, nn.Flatten()), tmp_path, 2)
        converted = _converted(graph)
        images = np.random.default_rng(0).standard_normal((2, 3, 2, 2), dtype=np.float32)
        expected = layer(paddle.to_tensor(images)).numpy().reshape(2, -1)
        np.testing.assert_allclose(_run(converted, images), expected, atol=1e-6)

    def test_graphs_that_do_not_correspond_are_refused(self, tmp_path: Path) -> None:
        graph = _saved(nn.Sequential(nn.MaxPool2D(2), nn.Flatten()), tmp_path, 4)
        converted = _converted(graph)
        document = json.loads(graph.read_text())
        operators = document["program"]["regions"][0]["blocks"][0]["ops"]
        document["program"]["regions"][0]["blocks"][0]["ops"] = [
            op for op in operators if "pool2d" not in op["#"]
        ]
        graph.write_text(json.dumps(document))
        with pytest.raises(ModelError, match=r"has 0 operators pool2d and its ONNX form 1"):
            mended(converted, graph)

    def test_a_protobuf_graph_is_passed_over(self, tmp_path: Path) -> None:
        assert mended(struct.pack("<i", 7), tmp_path / "inference.pdmodel") == struct.pack("<i", 7)
