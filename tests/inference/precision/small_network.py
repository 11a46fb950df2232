"""Parts of a small ``features.onnx``, written by hand."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 24


def convolution(name, source, weight, bias=None, **attributes):
    inputs = [source, weight] + ([bias] if bias else [])
    return helper.make_node("Conv", inputs, [name], name=name, **attributes)


def save(file: Path, nodes, weights, dimension: int = 6) -> Path:
    """Writes a graph from uint8 `images` to `features`."""
    graph = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["b", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["b", dimension])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)
    return file


def to_input():
    """Nodes from bytes to a float map [b, 3, h, w] in [-1, 1]."""
    nodes = [
        helper.make_node("Transpose", ["images"], ["moved"], name="t", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["moved"], ["float"], name="c", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "factor"], ["scaled"], name="m"),
        helper.make_node("Sub", ["scaled", "one"], ["x"], name="s"),
    ]
    weights = {"factor": np.array(2 / 255, np.float32), "one": np.array(1, np.float32)}
    return nodes, weights


def from_pooled(source: str):
    """Nodes from a pooled map [b, c, 1, 1] to unit vectors."""
    return [
        helper.make_node("Flatten", [source], ["flat"], name="flat"),
        helper.make_node("Mul", ["flat", "flat"], ["square"], name="square"),
        helper.make_node("ReduceSum", ["square", "axis"], ["sum"], name="sum", keepdims=1),
        helper.make_node("Sqrt", ["sum"], ["length"], name="length"),
        helper.make_node("Div", ["flat", "length"], ["features"], name="divide"),
    ], {"axis": np.array([1], np.int64)}
