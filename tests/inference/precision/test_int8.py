import logging
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests.inference.precision.running import run_onnxruntime, run_openvino
from toolkit.inference.precision import int8
from toolkit.inference.precision.int8 import write_int8


@pytest.fixture
def written(uneven, images, tmp_path):
    target = tmp_path / "features.int8.onnx"
    write_int8(uneven, target, images[:24])
    return target


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
def test_both_engines_run_the_one_file_and_agree_with_float(uneven, written, images, run):
    unseen = images[24:]
    features, expected = run(written, unseen), run_onnxruntime(uneven, unseen)
    # Lengths are computed in float: eight bits of them would make every cosine wrong.
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert (features * expected).sum(axis=1).min() > 0.999


def test_a_batch_and_single_pictures_give_the_same(written, images):
    one_by_one = np.concatenate([run_onnxruntime(written, images[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(run_onnxruntime(written, images[:5]), one_by_one, atol=1e-6)


def test_uneven_channels_need_the_equalization(uneven, images, tmp_path, monkeypatch):
    expected = run_onnxruntime(uneven, images)

    def error(name):
        write_int8(uneven, tmp_path / name, images)
        return 1 - (run_onnxruntime(tmp_path / name, images) * expected).sum(axis=1).mean()

    equalized = error("with.onnx")
    monkeypatch.setattr(int8, "equalize", lambda *_: 0)
    assert equalized < error("without.onnx") / 3


def test_layers_have_integer_kernels_and_the_ends_are_float(written):
    model = onnx.load(written)
    weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    made_by = {node.output[0]: node for node in model.graph.node}
    kinds = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            made = made_by.get(node.input[1])
            kernel = weights[node.input[1] if made is None else made.input[0]]
            kinds[node.name] = kernel.dtype.name
            if made is not None:  # a scale for each output channel
                assert weights[made.input[1]].shape == (kernel.shape[0],)
    assert kinds == {"first": "float32", "deep": "int8", "dense": "int8", "last": "float32"}
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    before_length = made_by["features"].input[0]
    assert made_by[before_length].op_type == "Flatten"


def test_onnx_runtime_executes_every_layer_in_integers(written, tmp_path):
    # The quantizer's pairs must stand where the runtime looks for them; else it computes in float.
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "executed.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(written, options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "executed.onnx").graph.node)
    assert kinds["QLinearConv"] == 2
    assert kinds["Conv"] + kinds["FusedConv"] == 2


def test_what_no_calibration_picture_reached_is_cut_off(uneven, written, images, tmp_path):
    # On black pictures alone, every map's range is that of black ones.
    black = tmp_path / "black.onnx"
    write_int8(uneven, black, np.zeros_like(images[:4]))
    expected = run_onnxruntime(uneven, images)

    def error(file):
        return 1 - (run_onnxruntime(file, images) * expected).sum(axis=1).mean()

    assert error(black) > 20 * error(written)


def test_the_same_pictures_give_the_same_file(uneven, images, written, tmp_path):
    again = tmp_path / "again.onnx"
    write_int8(uneven, again, images[:24])
    assert again.read_bytes() == written.read_bytes()


def test_nothing_is_left_behind(uneven, images, tmp_path):
    handlers = list(logging.getLogger().handlers)
    write_int8(uneven, tmp_path / "b.onnx", images[:8])
    assert logging.getLogger().handlers == handlers
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.onnx", "features.onnx"]


def test_without_pictures_there_is_nothing_to_calibrate_on(uneven, images, tmp_path):
    with pytest.raises(ValueError, match="no images"):
        write_int8(uneven, tmp_path / "b.onnx", images[:0])
