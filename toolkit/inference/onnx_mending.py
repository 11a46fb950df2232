"""Two faults of paddle2onnx 2.1, put right in what it made.

Padding: Paddle 3.3 stores the value of ``pad3d`` as a double (Paddle #75970); paddle2onnx reads a
float that is not there, so that the network pads with whatever was in memory, mostly 0 and not
always. Pooling: a kernel that is larger than its map is cut to the map's size, also where the map
is padded; then the places shift.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import ModelError, import_optional


def mended(converted: bytes, graph: Path) -> bytes:
    """Returns a converted model with paddings and poolings as they are in the Paddle graph.

    Args:
        converted: the ONNX file as paddle2onnx made it.
        graph: what it was made of; a protobuf graph is passed over, for Paddle 2 wrote it.

    Raises:
        ModelError: the two graphs do not correspond.
        ExtraError: onnx is not installed.
    """
    if graph.suffix != ".json":
        return converted
    blocks = json.loads(graph.read_bytes())["program"]["regions"][0]["blocks"]
    operators = [op for block in blocks for op in block["ops"]]
    onnx = import_optional("onnx", purpose="Writing ONNX files")
    model = onnx.load_from_string(converted)
    _mend_paddings(onnx, model.graph, operators, graph)
    _mend_poolings(model.graph, operators, graph)
    result: bytes = model.SerializeToString()
    return result


def _mend_paddings(onnx: Any, converted: Any, operators: list[Any], graph: Path) -> None:
    paddings = [_attributes(op) for op in operators if _kind(op) == "pad3d"]
    nodes = _nodes(converted, "pad3d", ("Pad",), len(paddings), graph)
    constants = {node.output[0]: node for node in converted.node if node.op_type == "Constant"}
    for node, padding in zip(nodes, paddings, strict=True):
        if padding["mode"] == "constant":
            value = np.array(padding["pad_value"], dtype=np.float32)
            tensor = onnx.numpy_helper.from_array(value)
            constants[node.input[2]].attribute[0].t.CopyFrom(tensor)


def _mend_poolings(converted: Any, operators: list[Any], graph: Path) -> None:
    lists = {op["O"][0]["%"]: op for op in operators if _kind(op) == "full_int_array"}
    poolings = [op for op in operators if _kind(op) == "pool2d"]
    kinds = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
    nodes = _nodes(converted, "pool2d", kinds, len(poolings), graph)
    for node, pooling in zip(nodes, poolings, strict=True):
        kernel = lists.get(pooling["I"][1]["%"])
        if node.op_type.startswith("Global") or _attributes(pooling)["adaptive"] or kernel is None:
            continue
        for attribute in node.attribute:
            if attribute.name == "kernel_shape":
                attribute.ints[:] = [side["D"] for side in _attributes(kernel)["value"]]


def _kind(operator: Mapping[str, Any]) -> str:
    return str(operator["#"]).split(".")[-1]


def _attributes(operator: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["N"]: entry["AT"].get("D") for entry in operator["A"]}


def _nodes(
    converted: Any, operator: str, kinds: tuple[str, ...], expected: int, graph: Path
) -> list[Any]:
    """Returns the nodes that were made of an operator, in the order of the graph."""
    results = {result.name for result in converted.output}  # these have names of their own
    nodes = [
        node
        for node in converted.node
        if node.op_type in kinds
        and (f".{operator}." in node.output[0] or node.output[0] in results)
    ]
    if len(nodes) != expected:
        raise ModelError(
            f"{graph} has {expected} operators {operator} and its ONNX form {len(nodes)}. Set "
            "Export.onnx to false; the engine paddle runs the model."
        )
    return nodes
