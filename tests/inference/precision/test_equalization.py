import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.inference.precision.running import run_onnxruntime
from tests.inference.precision.small_network import convolution, from_pooled, save, to_input
from toolkit.inference.precision.equalization import equalize


def _weights(model):
    return {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}


def _network(file, middle, *, group=4, second="x2", extra=()):
    """first convolution -> `middle` -> second convolution -> pooling; four channels between."""
    rng = np.random.default_rng(0)
    nodes, weights = to_input()
    last, ends = from_pooled("pooled")
    nodes += [convolution("x1", "x", "w1", "b1"), *middle]
    nodes += [convolution("y", second, "w2", group=group), *extra]
    nodes += [helper.make_node("GlobalAveragePool", ["y"], ["pooled"], name="pool"), *last]
    weights |= ends | {
        "w1": (rng.normal(size=(4, 27)) * [[1], [9], [0.5], [3]])
        .reshape(4, 3, 3, 3)
        .astype(np.float32),
        "b1": rng.normal(size=4).astype(np.float32),
        "w2": rng.normal(size=(4, 4 // group, 3, 3)).astype(np.float32),
    }
    save(file, nodes, weights, dimension=4)
    return onnx.load(file)


RELU = [helper.make_node("Relu", ["x1"], ["x2"], name="relu")]


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("relu", [True, False])
def test_the_network_computes_the_same_with_other_weights(tmp_path, images, group, relu):
    middle, second = (RELU, "x2") if relu else ([], "x1")
    model = _network(tmp_path / "a.onnx", middle, group=group, second=second)
    before, weights = run_onnxruntime(model.SerializeToString(), images), _weights(model)
    assert equalize(model, images) == 1
    np.testing.assert_allclose(
        run_onnxruntime(model.SerializeToString(), images), before, atol=2e-5
    )
    for name in ("w1", "b1", "w2"):
        assert not np.allclose(_weights(model)[name], weights[name], rtol=0.05), name


def test_before_a_depthwise_convolution_all_channels_become_equally_wide(tmp_path, images):
    model = _network(tmp_path / "a.onnx", RELU)
    equalize(model, images)
    model.graph.output.append(helper.make_tensor_value_info("x2", onnx.TensorProto.FLOAT, None))
    between = run_onnxruntime(model.SerializeToString(), images, ["x2"])
    widths = between.max(axis=(0, 2, 3))
    assert widths.min() > 0
    np.testing.assert_allclose(widths, widths.max(), rtol=1e-5)


def test_before_a_dense_convolution_map_and_kernel_share_the_spread(tmp_path, images):
    # SmoothQuant's equation 4 with alpha 1/2: afterwards a channel's width in the map and its
    # reach in the kernel are the same up to one factor for all channels.
    model = _network(tmp_path / "a.onnx", RELU, group=1)
    equalize(model, images)
    model.graph.output.append(helper.make_tensor_value_info("x2", onnx.TensorProto.FLOAT, None))
    between = run_onnxruntime(model.SerializeToString(), images, ["x2"])
    reach = np.abs(_weights(model)["w2"]).max(axis=(0, 2, 3))
    ratios = between.max(axis=(0, 2, 3)) / reach
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=1e-4)


def _clip():
    return [
        helper.make_node("Constant", [], ["low"], name="low", value_float=0.0),
        helper.make_node("Constant", [], ["high"], name="high", value_float=6.0),
        helper.make_node("Clip", ["x1", "low", "high"], ["x2"], name="clip"),
    ]


@pytest.mark.parametrize(
    ("middle", "extra"),
    [
        (_clip(), ()),  # what is cut at 6 may not be scaled
        ([helper.make_node("Sigmoid", ["x1"], ["x2"], name="sigmoid")], ()),
        # Someone else reads the map: a second branch, or the caller.
        (RELU, [helper.make_node("GlobalMaxPool", ["x2"], ["unused"], name="branch")]),
    ],
    ids=["clip", "sigmoid", "branch"],
)
def test_what_may_not_be_scaled_stays(tmp_path, images, middle, extra):
    model = _network(tmp_path / "a.onnx", middle, extra=extra)
    before = _weights(model)
    assert equalize(model, images) == 0
    for name, value in _weights(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_weights_that_two_convolutions_share_stay(tmp_path, images):
    again = [
        *RELU,
        convolution("other", "x", "w1", "b1"),
        helper.make_node("GlobalMaxPool", ["other"], ["unused"], name="branch"),
    ]
    assert equalize(_network(tmp_path / "a.onnx", again), images) == 0


def test_a_channel_that_is_never_used_is_not_blown_up(tmp_path, images):
    model = _network(tmp_path / "a.onnx", RELU)
    for weight in model.graph.initializer:
        if weight.name in ("w1", "b1"):
            value = numpy_helper.to_array(weight).copy()
            value[2] = 0 if weight.name == "w1" else -1  # the ReLU cuts it off
            weight.CopyFrom(numpy_helper.from_array(value, weight.name))
    before = run_onnxruntime(model.SerializeToString(), images)
    equalize(model, images)
    assert np.abs(_weights(model)["b1"][2]) <= 100.001
    np.testing.assert_allclose(
        run_onnxruntime(model.SerializeToString(), images), before, atol=2e-5
    )
