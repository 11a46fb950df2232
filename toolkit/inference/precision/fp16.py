"""Weights of 16 bits: a file of half the size that computes in float32.

Processors without 16-bit arithmetic, which most are, widen the weights when they open the file: it
is smaller on disk and in transfer, and not faster.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import import_optional

_LARGEST = float(np.finfo(np.float16).max)


def write_fp16(source: Path, target: Path) -> None:
    """Writes a graph with the weights of its layers as float16.

    What is small (biases, batch norms) stays in float32, and so does a weight that float16 cannot
    hold.

    Args:
        source: ``features.onnx``.
        target: the file to write.

    Raises:
        ExtraError: onnx is not installed.
    """
    onnx = import_optional("onnx", purpose="Export.precision fp16")
    model = onnx.load(str(source))
    graph = model.graph
    widened = [
        _halve(onnx, weight)
        for weight in graph.initializer
        if weight.data_type == onnx.TensorProto.FLOAT
        and len(weight.dims) > 1
        and _fits(onnx, weight)
    ]
    nodes = [*widened, *graph.node]  # first, for a graph's nodes stand in the order of their use
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def _fits(onnx: Any, weight: Any) -> bool:
    values = onnx.numpy_helper.to_array(weight)
    return bool(np.abs(values).max(initial=0.0) <= _LARGEST)


def _halve(onnx: Any, weight: Any) -> Any:
    """Turns a weight into one of 16 bits, and returns the node that widens it under its name."""
    name, half = weight.name, f"{weight.name}/half"
    values = onnx.numpy_helper.to_array(weight).astype(np.float16)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, half))
    return onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT)
