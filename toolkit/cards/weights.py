"""Weight and state files: `.pdparams`, `.pdema`, `.pdopt`, `.pdstates`, `.safetensors`, exports.

Paddle's files are pickles, and a pickle can run anything. These are read by a machine that can
build arrays and plain containers and nothing else (`safe_pickle`), and written as a plain pickle
that `paddle.load` reads as well.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cards.easycv import read_easycv
from toolkit.cards.inference_weights import read_inference_weights
from toolkit.cards.pickled_arrays import RefusedError
from toolkit.cards.safe_pickle import load
from toolkit.cards.safetensors_files import read_safetensors, write_safetensors
from toolkit.cards.torch_files import SUFFIXES as TORCH_SUFFIXES
from toolkit.cards.weight_sources import find_weights
from toolkit.errors import WeightsError
from toolkit.storage import atomic_path

# Where Paddle keeps its global names of the parameters; they change with the order of building.
_NAME_TABLE = "StructuredToParameterName@@"
_SLICES = "UnpackBigParamInfor@@"
_PROTOCOL = 4


def read_weights(path: Path | str) -> dict[str, np.ndarray[Any, Any]]:
    """Reads the parameters and buffers of a network.

    Args:
        path: a `.pdparams`, `.pdema` or `.safetensors` file, the `.pdiparams` of an inference
            model, an export of EasyCV (`.pt`), or whatever else `find_weights` understands.

    Returns:
        Structured name -> array. bfloat16 stays what the file holds: uint16 bit patterns.

    Raises:
        WeightsError: the file is missing, damaged, holds more than arrays, or tries to run code.
    """
    file = find_weights(path)
    if file.suffix == ".safetensors":
        return read_safetensors(file)
    if file.suffix == ".pdiparams":
        return read_inference_weights(file)
    if file.suffix in TORCH_SUFFIXES:
        return read_easycv(file)
    state = _joined(read_state(file), file)
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


def write_weights(path: Path | str, weights: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Writes the parameters and buffers of a network atomically, in the format of the suffix.

    Args:
        path: ends in `.safetensors` or `.pdparams`.
        weights: structured name -> array; uint16 stands for bfloat16.

    Raises:
        ValueError: another suffix.
        TypeError: a value is no array of numbers.
    """
    file = Path(path)
    if file.suffix not in (".safetensors", ".pdparams"):
        raise ValueError(f"{file}: weights are written as .safetensors or .pdparams.")
    if file.suffix == ".safetensors":
        write_safetensors(file, weights)
    else:
        write_state(file, weights)


def write_state(path: Path | str, mapping: Mapping[str, Any]) -> None:
    """Writes arrays and plain containers atomically, as a pickle that `paddle.load` reads.

    Raises:
        TypeError: a value is neither, so that `read_state` would refuse the file.
    """
    _check_plain(mapping, "")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        pickle.dump(dict(mapping), file, protocol=_PROTOCOL)


def _joined(state: dict[Any, Any], file: Path) -> dict[Any, Any]:
    """Joins arrays that `paddle.save` has cut: below protocol 4, those of more than 1 GiB.

    The table of slices maps each name to its shape and the names of its pieces, in their order.
    """
    table = state.pop(_SLICES, {})
    try:
        for name, entry in table.items():
            pieces = [state.pop(piece) for piece in entry["slices"]]
            shape = tuple(entry["OriginShape"])
            state[name] = np.concatenate(pieces).reshape(shape)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{file}: its large arrays are cut in slices that cannot be joined ({error}). Save it "
            "again with paddle.save(..., protocol=4)."
        ) from error
    return state


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
