"""The parameters inside an inference model, by the names that a network gives them.

`inference.pdiparams` holds arrays without names, in the sorted order of their names in the graph,
and those (`conv2d_0.w_0`) only count layers. Which parameter of a network each one is must be
written down elsewhere: our exports list it in ``inference.yml``, Paddle 2 wrote it into
`inference.pdiparams.info`.

Source: Paddle's `SerializeToStream` (tensor: version, LoD, version, TensorDesc, data) and
`paddle.jit.save` (order, `.info`).
"""

import json
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import yaml

from toolkit.cards.pickled_arrays import RefusedError
from toolkit.cards.protobuf import program_parameters, read_fields, read_varints
from toolkit.cards.safe_pickle import load
from toolkit.errors import WeightsError

PARAMETER_FILE = "inference.pdiparams"
_JSON_GRAPH, _PROTOBUF_GRAPH = "inference.json", "inference.pdmodel"
_NAMES, _TABLE = "inference.yml", "inference.pdiparams.info"
_MOST_DIMENSIONS = 32
_LONGEST_DESCRIPTION = 1 << 10
# VarType.Type of framework.proto; bfloat16 (22) stays a bit pattern.
_TYPES = {
    0: "?",
    1: "<i2",
    2: "<i4",
    3: "<i8",
    4: "<f2",
    5: "<f4",
    6: "<f8",
    20: "u1",
    21: "i1",
    22: "<u2",
}
# PaddleClas wraps the network that it exports.
_WRAPPER = "base_model."


def read_inference_weights(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Reads the parameters of an inference model under their structured names.

    Args:
        file: its `inference.pdiparams`; the graph and the names stand beside it.

    Raises:
        WeightsError: a file is missing or damaged, or nothing says which parameter is which.
    """
    names = _listed_names(file.parent) or _tabled_names(file.parent)
    arrays = read_parameters(file)
    if names is None:
        raise WeightsError(
            f"{file} holds {len(arrays)} arrays, and nothing beside it says which parameter of the "
            f"network each one is (no list in {_NAMES}, no {_TABLE}). It can be predicted with and "
            "evaluated; to train from it, give the .pdparams file that it was exported from."
        )
    if len(names) != len(arrays):
        raise WeightsError(
            f"{file} holds {len(arrays)} arrays and {len(names)} names belong to it: files of two "
            "exports are mixed. Export the model again, or give its .pdparams file."
        )
    return dict(zip(names, arrays, strict=True))


def read_parameters(file: Path) -> list[np.ndarray[Any, Any]]:
    """Reads the arrays of a `.pdiparams` file, in its order.

    Raises:
        WeightsError: it is missing or damaged.
    """
    arrays = []
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            while stream.tell() < size:
                arrays.append(_read_array(stream, size))
    except OSError as error:
        raise WeightsError(f"Cannot read {file}: {error.strerror}.") from error
    except (WeightsError, struct.error) as error:
        raise WeightsError(f"{file} is no whole parameter file: {error}.") from error
    return arrays


def graph_parameters(directory: Path) -> list[str]:
    """Returns the parameters' names in the graph, in the order of `inference.pdiparams`.

    Raises:
        WeightsError: there is no graph, or it cannot be read.
    """
    graph = directory / _JSON_GRAPH
    try:
        if not graph.is_file():
            graph = directory / _PROTOBUF_GRAPH
            return sorted(program_parameters(graph.read_bytes()))
        blocks = json.loads(graph.read_bytes())["program"]["regions"][0]["blocks"]
        return sorted(op["A"][3] for block in blocks for op in block["ops"] if op["#"] == "p")
    except OSError as error:
        raise WeightsError(f"Cannot read {graph}: {error.strerror}.") from error
    except (ValueError, LookupError, TypeError, WeightsError) as error:
        raise WeightsError(f"{graph} is no graph that can be read: {error}.") from error


def _listed_names(directory: Path) -> list[str] | None:
    """Returns what our export wrote; None where it is not ours."""
    try:
        document = yaml.safe_load((directory / _NAMES).read_text(encoding="utf-8"))
        names = document["Toolkit"]["parameters"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError):
        return None
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if is_list else None


def _tabled_names(directory: Path) -> list[str] | None:
    """Returns what Paddle 2 wrote; None where there is no table, or where it is not complete."""
    file = directory / _TABLE
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            table = load(stream)
    except RefusedError as error:
        raise WeightsError(f"{file} is not read: {error}. Nothing in it has been run.") from error
    try:
        names = [str(table[name]["structured_name"]) for name in graph_parameters(directory)]
    except (LookupError, TypeError):
        return None
    if all(name.startswith(_WRAPPER) for name in names):
        names = [name.removeprefix(_WRAPPER) for name in names]
    return names


def _read_array(stream: BinaryIO, size: int) -> np.ndarray[Any, Any]:
    _expect_zero(stream, "<I", "version")
    _expect_zero(stream, "<Q", "number of LoD levels")
    _expect_zero(stream, "<I", "version")
    (length,) = struct.unpack("<i", stream.read(4))
    if not 0 <= length <= _LONGEST_DESCRIPTION:
        raise WeightsError(f"the description of an array has {length} bytes")
    dtype, shape = _read_description(stream.read(length))
    count = math.prod(shape)
    if count * dtype.itemsize > size - stream.tell():
        raise WeightsError(f"it ends in the middle of an array of shape {shape}")
    raw = stream.read(count * dtype.itemsize)
    return np.frombuffer(raw, dtype, count).reshape(shape).copy()


def _expect_zero(stream: BinaryIO, kind: str, what: str) -> None:
    (value,) = struct.unpack(kind, stream.read(struct.calcsize(kind)))
    if value:
        raise WeightsError(f"an array has the {what} {value}, only 0 is known")


def _read_description(message: bytes) -> tuple[np.dtype[Any], list[int]]:
    """Reads a TensorDesc: type is field 1; sizes are field 2, one by one or packed."""
    kind: int | bytes = -1
    shape: list[int] = []
    for number, value in read_fields(message):
        if number == 1:
            kind = value
        elif number == 2 and isinstance(value, int):
            shape.append(value)
        elif number == 2 and isinstance(value, bytes):
            shape += read_varints(value)
    if not isinstance(kind, int) or kind not in _TYPES or len(shape) > _MOST_DIMENSIONS:
        raise WeightsError(f"an array has the type {kind!r} and {len(shape)} dimensions")
    return np.dtype(_TYPES[kind]), shape
