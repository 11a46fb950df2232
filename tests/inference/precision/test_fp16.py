import numpy as np
import onnx
from onnx import numpy_helper

from tests.inference.precision.running import run_onnxruntime, run_openvino
from toolkit.inference.precision.fp16 import write_fp16


def _with_weights(source, target, change):
    """Writes a graph again with other kernels."""
    model = onnx.load(source)
    for weight in model.graph.initializer:
        value = numpy_helper.to_array(weight)
        if value.ndim > 1:
            weight.CopyFrom(numpy_helper.from_array(change(value), weight.name))
    onnx.save(model, target)
    return target


def test_it_computes_what_rounded_weights_compute(uneven, images, tmp_path):
    write_fp16(uneven, tmp_path / "half.onnx")
    rounded = _with_weights(
        uneven, tmp_path / "rounded.onnx", lambda w: w.astype(np.float16).astype(np.float32)
    )
    expected = run_onnxruntime(rounded, images)
    assert not np.array_equal(expected, run_onnxruntime(uneven, images))
    np.testing.assert_allclose(run_onnxruntime(tmp_path / "half.onnx", images), expected, atol=1e-6)
    np.testing.assert_allclose(run_openvino(tmp_path / "half.onnx", images), expected, atol=1e-5)


def test_kernels_are_halved_and_what_is_small_is_not(uneven, tmp_path):
    write_fp16(uneven, tmp_path / "half.onnx")
    kinds = {
        weight.name: numpy_helper.to_array(weight).dtype.name
        for weight in onnx.load(tmp_path / "half.onnx").graph.initializer
    }
    halved = {name.removesuffix("/half") for name, kind in kinds.items() if kind == "float16"}
    assert halved == {"w1", "w2", "w3", "w4"}
    assert kinds["b1"] == kinds["variance"] == "float32"


def test_a_kernel_beyond_the_range_of_16_bits_stays(uneven, images, tmp_path):
    def enlarge(weight):
        return weight * np.float32(1e6) if weight.shape == (6, 8, 1, 1) else weight

    large = _with_weights(uneven, tmp_path / "large.onnx", enlarge)
    write_fp16(large, tmp_path / "half.onnx")
    features = run_onnxruntime(tmp_path / "half.onnx", images)
    assert np.isfinite(features).all()
    assert (features * run_onnxruntime(large, images)).sum(axis=1).min() > 0.9999
