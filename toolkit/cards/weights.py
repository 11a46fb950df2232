"""Weight and state files: `.pdparams`, `.pdema`, `.pdopt`, `.pdstates`, `.safetensors`.

Paddle's files are pickles, and a pickle can run anything. These are read by a machine that can
build arrays and plain containers and nothing else (`safe_pickle`), and written as a plain pickle
that `paddle.load` reads as well.
"""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cards.pickled_arrays import RefusedError
from toolkit.cards.safe_pickle import load
from toolkit.errors import WeightsError
from toolkit.storage import atomic_path

# Where Paddle keeps its global names of the parameters; they change with the order of building.
_NAME_TABLE = "StructuredToParameterName@@"
_SLICES = "UnpackBigParamInfor@@"
_PROTOCOL = 4
_SUFFIXES = (".pdparams", ".pdema", ".safetensors")
_BRAIN_FLOAT = "<u2"  # numpy has no such type; the bit patterns are kept
_SAFETENSORS_TYPES = {
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


def find_weights(path: Path | str) -> Path:
    """Returns the weight file that `path` names, with or without its suffix.

    The folder of a checkpoint names the file that is called like the folder.

    Raises:
        WeightsError: there is none.
    """
    given = Path(path)
    if given.is_dir():
        given = given / given.name
    if given.is_file():
        return given
    for suffix in _SUFFIXES:
        candidate = given.with_name(given.name + suffix)
        if candidate.is_file():
            return candidate
    tried = "" if given.suffix in _SUFFIXES else f" (nor with {', '.join(_SUFFIXES)} behind it)"
    raise WeightsError(
        f"No weights at {given}: no such file{tried}. Give the path of a weight file."
    )


def read_weights(path: Path | str) -> dict[str, np.ndarray[Any, Any]]:
    """Reads the parameters and buffers of a network.

    Args:
        path: a `.pdparams`, `.pdema` or `.safetensors` file; the suffix may be left out.

    Returns:
        Structured name -> array. bfloat16 stays what the file holds: uint16 bit patterns.

    Raises:
        WeightsError: the file is missing, damaged, holds more than arrays, or tries to run code.
    """
    file = find_weights(path)
    state = _read_safetensors(file) if file.suffix == ".safetensors" else read_state(file)
    if _SLICES in state:
        raise WeightsError(
            f"{file}: its large arrays are cut in slices, as paddle.save does below protocol 4. "
            f"Save it again with paddle.save(..., protocol=4)."
        )
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise WeightsError(
                f"{file}: entry {name!r} is a {type(value).__name__}, not an array. A weight file "
                f"maps names to arrays; is this an optimizer or state file?"
            )
    return state


def read_state(path: Path | str) -> dict[Any, Any]:
    """Reads what a training run remembers (`.pdopt`, `.pdstates`), or any file of its kind.

    Args:
        path: the file, with its suffix.

    Returns:
        Plain containers, numbers and arrays. Paddle's table of global names is left out.

    Raises:
        WeightsError: the file is missing, damaged, no dict, or tries to run code.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            state = load(stream)
    except OSError as error:
        raise WeightsError(f"Cannot read {file}: {error.strerror}.") from error
    except RefusedError as error:
        raise WeightsError(
            f"{file} is not read: {error}. A weight or state file holds arrays and plain "
            f"containers only; nothing in it has been run. Get it again from where it comes from."
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"{file} holds a {type(state).__name__}; expected a dict of names.")
    state.pop(_NAME_TABLE, None)
    return state


def write_state(path: Path | str, mapping: Mapping[str, Any]) -> None:
    """Writes arrays and plain containers atomically, as a pickle that `paddle.load` reads.

    Raises:
        TypeError: a value is neither, so that `read_state` would refuse the file.
    """
    _check_plain(mapping, "")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        pickle.dump(dict(mapping), file, protocol=_PROTOCOL)


def _check_plain(value: Any, place: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_plain(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_plain(item, f"{place}[{number}]")
    elif isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biufc":
            raise TypeError(f"state{place} is an array of {value.dtype}; only numbers are written.")
    elif not isinstance(value, str | bytes | int | float | None):
        raise TypeError(f"state{place} is a {type(value).__name__}; it cannot be written.")


def _read_safetensors(file: Path) -> dict[str, np.ndarray[Any, Any]]:
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
        kind = _SAFETENSORS_TYPES.get(entry["dtype"])
        if kind is None:
            known = ", ".join(sorted(_SAFETENSORS_TYPES))
            raise WeightsError(f"{file}: {name!r} is of type {entry['dtype']}; known: {known}.")
        weights[name] = np.frombuffer(entry["data"], kind).reshape(entry["shape"]).copy()
    return weights
