"""Scales channels so that 8 bits serve all of them, without changing what the network computes.

A map has one step for all its channels in int8, as fine as the widest channel allows; a channel a
hundred times narrower is left with two or three values. Between two convolutions with nothing but
a ReLU in between, a channel may be scaled at will, for relu(s x) = s relu(x) when s is above 0: the
first convolution gives s times as much, the second takes it as 1 / s times as much. PP-LCNet V2,
whose depthwise convolutions have very uneven channels, gains most.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
2019, section 4.1; for the balance between maps and weights: Xiao et al., "SmoothQuant", 2023,
equation 4 with alpha 0.5.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional
from toolkit.inference.engines.onnx_files import INPUT

_PURPOSE = "Export.precision int8"
# A channel that the calibration pictures hardly use may be used by others.
_LARGEST_FACTOR = 100.0
_BATCH = 8
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class _Pair:
    """Two convolutions and the map between them, which nothing else reads.

    Attributes:
        first: node of the convolution that makes the map.
        between: name of the map.
        second: node of the convolution that reads it.
        depthwise: whether the second has a kernel of its own for each channel.
    """

    first: Any
    between: str
    second: Any
    depthwise: bool


def equalize(model: Any, images: NDArray[np.uint8]) -> int:
    """Scales the channels between all pairs of convolutions, in place.

    Args:
        model: an onnx.ModelProto with the input ``images`` and batch norms inside convolutions.
        images: uint8 RGB [n, h, w, 3], pictures of the kind that the network will see.

    Returns:
        How many pairs there are.
    """
    onnx = import_optional("onnx", purpose=_PURPOSE)
    weights = {weight.name: weight for weight in model.graph.initializer}
    pairs = list(_pairs(model.graph, weights))
    if not pairs:
        return 0
    for pair, widths in zip(pairs, _channel_widths(onnx, model, pairs, images), strict=True):
        kernel = onnx.numpy_helper.to_array(weights[pair.second.input[1]])
        factors = _factors(widths, kernel, depthwise=pair.depthwise)
        for name in pair.first.input[1:]:  # the kernel, and the bias if there is one
            _scale(onnx, weights[name], factors, axis=0)
        _scale(
            onnx,
            weights[pair.second.input[1]],
            np.reciprocal(factors),
            axis=0 if pair.depthwise else 1,
        )
    return len(pairs)


def _pairs(graph: Any, weights: dict[str, Any]) -> Iterator[_Pair]:
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    outputs = {output.name for output in graph.output}

    def only_reader(name: str) -> Any:
        return readers[name][0] if len(readers[name]) == 1 and name not in outputs else None

    def own(node: Any) -> bool:
        return all(name in weights and len(readers[name]) == 1 for name in node.input[1:])

    for first in graph.node:
        between = first.output[0]
        second = only_reader(between)
        if second is not None and second.op_type == "Relu":
            between = second.output[0]
            second = only_reader(between)
        if second is None or {first.op_type, second.op_type} != {"Conv"}:
            continue
        kernel = weights.get(second.input[1])
        depthwise = kernel is not None and list(kernel.dims[:2]) == [_groups(second), 1]
        if own(first) and own(second) and (depthwise or _groups(second) == 1):
            yield _Pair(first, between, second, depthwise)


def _groups(convolution: Any) -> int:
    return next((int(item.i) for item in convolution.attribute if item.name == "group"), 1)


def _channel_widths(
    onnx: Any, model: Any, pairs: list[_Pair], images: NDArray[np.uint8]
) -> list[NDArray[np.float32]]:
    """Returns for each pair the largest absolute value [c] of each channel between the two."""
    runtime = import_optional("onnxruntime", purpose=_PURPOSE)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = []
    for number, pair in enumerate(pairs):
        absolute, largest = f"watched/{number}", f"width/{number}"
        watched.graph.node.append(onnx.helper.make_node("Abs", [pair.between], [absolute]))
        watched.graph.node.append(onnx.helper.make_node("GlobalMaxPool", [absolute], [largest]))
        watched.graph.output.append(
            onnx.helper.make_tensor_value_info(largest, onnx.TensorProto.FLOAT, None)
        )
        names.append(largest)
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = runtime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    widths: list[NDArray[np.float32]] = []
    for start in range(0, len(images), _BATCH):
        found = session.run(names, {INPUT: images[start : start + _BATCH]})
        found = [values.max(axis=(0, 2, 3)) for values in found]
        widths = [np.maximum(a, b) for a, b in zip(widths or found, found, strict=True)]
    return widths


def _factors(
    widths: NDArray[np.float32], kernel: NDArray[np.float32], *, depthwise: bool
) -> NDArray[np.float32]:
    """Returns by how much the channels [c] between two convolutions are multiplied.

    A depthwise kernel has a scale of its own for each channel, so that all channels can be made
    equally wide; of a dense one, what is gained in the map is partly lost in the kernel.
    """
    widths = np.maximum(widths, max(float(widths.max()), 1e-12) / _LARGEST_FACTOR)
    if depthwise:
        return np.asarray(widths.max() / widths, dtype=np.float32)
    reach = np.abs(kernel).max(axis=(0, 2, 3))
    reach = np.maximum(reach, max(float(reach.max()), 1e-12) / _LARGEST_FACTOR)
    factors = np.sqrt(reach / widths)
    return np.asarray(factors / np.exp(np.log(factors).mean()), dtype=np.float32)


def _scale(onnx: Any, weight: Any, factors: NDArray[np.float32], *, axis: int) -> None:
    values = onnx.numpy_helper.to_array(weight)
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    scaled = (values * factors.reshape(shape)).astype(np.float32)
    weight.CopyFrom(onnx.numpy_helper.from_array(scaled, weight.name))
