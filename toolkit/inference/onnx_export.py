"""The ONNX files of an export: the graph for others, and the one that our engines run.

``inference.onnx`` is what paddle2onnx makes of the Paddle files: normalised float input, features
as the neck gives them; PaddleX opens it. ``features.onnx`` is the same graph between two ends of
ours: bytes go in as OpenCV and Pillow hold them, unit vectors come out, so that a thread that runs
it does nothing else in Python.
"""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage
from toolkit.errors import ExtraError, ModelError, import_optional
from toolkit.inference.engines.onnx_files import (
    FEATURES_FILE,
    INPUT,
    INTERCHANGE_FILE,
    OUTPUT,
)
from toolkit.inference.engines.paddle import find_graph
from toolkit.inference.onnx_mending import mended
from toolkit.inference.unit_vectors import EPSILON

# The first with LayerNormalization as one operator; every ONNX Runtime and OpenVINO that the extras
# allow reads it.
_OPSET = 17
# A protobuf message cannot be larger, and an ONNX file is one.
_LARGEST_BYTES = 2**31 - 2**20
_PURPOSE = "Writing ONNX files"
_ERRORS_ONLY = 3


def write_onnx_files(model: Path, folder: Path, steps: Pipeline) -> None:
    """Writes ``inference.onnx`` and ``features.onnx`` of a Paddle inference model.

    Args:
        model: its folder.
        folder: where the files go.
        steps: how a picture is prepared; ends in a tensor.

    Raises:
        ModelError: it cannot be converted.
        ExtraError: paddle2onnx is not installed.
    """
    interchange = folder / INTERCHANGE_FILE
    interchange.write_bytes(convert_to_onnx(find_graph(model), model / PARAMETER_FILE))
    write_features_onnx(interchange, folder / FEATURES_FILE, steps)


def convert_to_onnx(graph: Path, parameters: Path) -> bytes:
    """Converts a Paddle inference model; nothing is downloaded.

    Args:
        graph: its ``inference.json`` or ``inference.pdmodel``.
        parameters: its ``inference.pdiparams``.

    Returns:
        The ONNX file: float input of the same name, batch axis free.

    Raises:
        ModelError: it is too large for an ONNX file, or has an operator that cannot be converted.
        ExtraError: paddle2onnx is not installed.
    """
    if parameters.stat().st_size > _LARGEST_BYTES:
        raise ModelError(
            f"{parameters} has {parameters.stat().st_size} bytes, and an ONNX file can have "
            f"{_LARGEST_BYTES}. Set Export.onnx to false; the engine paddle runs the model."
        )
    paddle2onnx = import_optional("paddle2onnx", purpose=_PURPOSE)
    converted: bytes | None = None
    # Where it fails, it ends the process.
    with _captured_output() as said, contextlib.suppress(SystemExit):
        # Its optimizers are not used: they would install packages from the network.
        converted = paddle2onnx.export(
            str(graph), str(parameters), None, opset_version=_OPSET, optimize_tool="None"
        )
    if not converted:
        raise ModelError(
            f"paddle2onnx cannot convert {graph}: {' '.join(said.getvalue().split())[-500:]} "
            "Set Export.onnx to false; the engine paddle runs the model."
        )
    return mended(converted, graph)


def write_features_onnx(interchange: Path, file: Path, steps: Pipeline) -> None:
    """Writes the graph that takes bytes and gives unit vectors.

    What `steps` does from NormalizeImage on stands at its beginning, in the same 32-bit operations
    as in Python; a feature of zeros stays one.

    Args:
        interchange: ``inference.onnx``.
        file: what is written: input ``images``, uint8 RGB [b, h, w, 3]; output ``features``,
            float32 [b, d].
        steps: how a picture is prepared; ends in a tensor.

    Raises:
        ExtraError: onnx is not installed.
        ModelError: the graph has a free height or width, or more than one input or output.
    """
    onnx = import_optional("onnx", purpose=_PURPOSE)
    model = onnx.load(str(interchange))
    graph = model.graph
    height, width, dimension = _sizes(graph, interchange)
    _constants_to_initializers(graph)
    first = _normalizing(onnx, steps, graph.input[0].name)
    last = _scaling_to_length_1(onnx, graph.output[0].name)
    nodes = [*first.nodes, *graph.node, *last.nodes]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*first.constants, *last.constants])
    describe = onnx.helper.make_tensor_value_info
    graph.input.append(describe(INPUT, onnx.TensorProto.UINT8, ["b", height, width, 3]))
    graph.output.append(describe(OUTPUT, onnx.TensorProto.FLOAT, ["b", dimension]))
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    _simplify(onnx, file)


def _simplify(onnx: Any, file: Path) -> None:
    """Folds constants, and batch norms into convolutions, so that no engine does at its start.

    It takes ONNX Runtime; what it leaves are the same standard operators for every engine.
    """
    try:
        runtime = import_optional("onnxruntime", purpose=_PURPOSE)
    except ExtraError:
        return  # the graph is complete without
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        simple = Path(folder) / file.name
        options.optimized_model_filepath = str(simple)
        runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        model = onnx.load(str(simple))
    used = {node.domain for node in model.graph.node}
    domains = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(domains)
    onnx.save(model, str(file))


class _Nodes:
    """A chain of nodes whose names begin alike."""

    def __init__(self, onnx: Any, prefix: str) -> None:
        self._onnx, self._prefix = onnx, prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = ""

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Appends a node and returns the name of its output."""
        name = f"{self._prefix}/{kind}"
        self.last = output or f"{name}_{len(self.nodes)}"
        make = self._onnx.helper.make_node
        self.nodes.append(make(kind, inputs, [self.last], name=f"{name}_node", **attributes))
        return self.last

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        """Keeps an array and returns its name."""
        full = f"{self._prefix}/{name}"
        self.constants.append(self._onnx.numpy_helper.from_array(value, full))
        return full


def _normalizing(onnx: Any, steps: Pipeline, output: str) -> _Nodes:
    """Returns the nodes from the bytes [b, h, w, 3] to the network's input [b, 3, h, w]."""
    step = next(step for step in steps.transforms if isinstance(step, NormalizeImage))
    nodes = _Nodes(onnx, "normalize")
    nodes.add("Transpose", [INPUT], perm=[0, 3, 1, 2])
    nodes.add("Cast", [nodes.last], to=onnx.TensorProto.FLOAT)
    nodes.add("Mul", [nodes.last, nodes.constant("factor", step.factor.reshape(3, 1, 1))])
    offset = nodes.constant("offset", step.offset.reshape(3, 1, 1))
    nodes.add("Add", [nodes.last, offset], output=output)
    return nodes


def _scaling_to_length_1(onnx: Any, features: str) -> _Nodes:
    """Returns the nodes from features as the neck gives them to unit vectors."""
    nodes = _Nodes(onnx, "unit_vectors")
    flat = nodes.add("Flatten", [features], axis=1)
    nodes.add("Mul", [flat, flat])
    axis = nodes.constant("axis", np.array([1], dtype=np.int64))
    nodes.add("ReduceSum", [nodes.last, axis], keepdims=1)
    nodes.add("Sqrt", [nodes.last])
    epsilon = nodes.constant("epsilon", np.array(EPSILON, dtype=np.float32))
    nodes.add("Max", [nodes.last, epsilon])
    nodes.add("Div", [flat, nodes.last], output=OUTPUT)
    return nodes


def _sizes(graph: Any, file: Path) -> tuple[int, int, int]:
    """Returns height and width of the input, and the length of the feature."""
    if (len(graph.input), len(graph.output)) != (1, 1):
        raise ModelError(f"{file} has {len(graph.input)} inputs and {len(graph.output)} outputs.")
    shape = [axis.dim_value for axis in graph.input[0].type.tensor_type.shape.dim]
    result = [axis.dim_value for axis in graph.output[0].type.tensor_type.shape.dim]
    if len(shape) != 4 or min(shape[1:]) < 1 or len(result) < 2 or min(result[1:]) < 1:
        raise ModelError(
            f"{file} maps {shape} to {result} (0: free); expected images of a fixed size and "
            "features of a fixed length. Only the engine paddle can run it."
        )
    return shape[2], shape[3], int(np.prod(result[1:]))


def _constants_to_initializers(graph: Any) -> None:
    """Turns Constant nodes, which is how weights come, into what quantizers take for weights."""
    constants = [
        node
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    ]
    for node in constants:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
    names = {node.output[0] for node in constants}
    kept = [
        node for node in graph.node if not (node.op_type == "Constant" and node.output[0] in names)
    ]
    del graph.node[:]
    graph.node.extend(kept)


@contextlib.contextmanager
def _captured_output() -> Iterator[io.StringIO]:
    """Keeps what Python and C++ print to standard output; it is in the result afterwards."""
    said = io.StringIO()
    sys.stdout.flush()
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        try:
            os.dup2(file.fileno(), 1)
            with contextlib.redirect_stdout(said):
                yield said
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            said.write(file.read().decode("utf-8", errors="replace"))
