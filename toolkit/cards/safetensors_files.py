"""`.safetensors` files: arrays by name, without anything that could run.

bfloat16, which numpy lacks, is kept as uint16 bit patterns, as Paddle does.
Source: the format description of the safetensors library (header of 8 bytes, JSON, data).
"""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import WeightsError
from toolkit.storage import atomic_path

_BRAIN_FLOAT = "<u2"
_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "BF16": _BRAIN_FLOAT,
}
# Of two names of one type the later one is written: weights have no 16-bit integers, and uint16 in
# Paddle's files is bfloat16.
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_ALIGNMENT = 8


def read_safetensors(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Reads all arrays.

    Raises:
        WeightsError: the file is missing, damaged, or holds a type that numpy has not.
    """
    from safetensors import SafetensorError, deserialize

    parse: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = deserialize
    try:
        entries = parse(file.read_bytes())
    except OSError as error:
        raise WeightsError(f"Cannot read {file}: {error.strerror}.") from error
    except SafetensorError as error:
        raise WeightsError(f"{file} is no whole safetensors file: {error}.") from error
    weights = {}
    for name, entry in entries:
        kind = _TYPES.get(entry["dtype"])
        if kind is None:
            known = ", ".join(sorted(_TYPES))
            raise WeightsError(f"{file}: {name!r} is of type {entry['dtype']}; known: {known}.")
        weights[name] = np.frombuffer(entry["data"], kind).reshape(entry["shape"]).copy()
    return weights


def write_safetensors(path: Path, weights: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Writes arrays atomically; uint16 is written as bfloat16.

    Raises:
        TypeError: a value is no array of numbers that the format has.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pd"}}
    blocks: list[bytes] = []
    end = 0
    for name, value in weights.items():
        array = np.asarray(value)
        little = np.dtype(array.dtype).newbyteorder("<")
        if little not in _NAMES:
            raise TypeError(f"{name!r} is of type {array.dtype}, which safetensors has not.")
        blocks.append(array.astype(little).tobytes())
        start, end = end, end + array.nbytes
        shape = list(array.shape)
        header[name] = {"dtype": _NAMES[little], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % _ALIGNMENT)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(blocks)
