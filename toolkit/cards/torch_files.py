"""Weight files of PyTorch, read without PyTorch and without running what they name.

A file is a zip archive, not compressed: ``<name>/data.pkl``, and the values of each tensor's
storage as ``<name>/data/<key>``. The pickle refers to a storage by a persistent id.

Source: `torch.save` since PyTorch 1.6 (`torch/serialization.py`).
"""

import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cards.pickled_arrays import RefusedError
from toolkit.cards.safe_pickle import Names, load
from toolkit.errors import WeightsError

SUFFIXES = (".pt", ".pth")
_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # bit patterns, as everywhere here
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def read_torch(file: Path) -> Any:
    """Reads a file of `torch.save`.

    Returns:
        Plain containers, numbers, text, and numpy arrays in the place of tensors.

    Raises:
        WeightsError: it is missing, damaged, of PyTorch before 1.6, or holds more than that.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _read(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{file} cannot be read ({error}). A weight file of PyTorch is a zip archive since "
            "PyTorch 1.6; save an older one again with a newer PyTorch."
        ) from error
    except RefusedError as error:
        raise WeightsError(
            f"{file} is not read: {error}. Nothing in it has been run. Get it again from where it "
            "comes from."
        ) from error


def _read(archive: zipfile.ZipFile) -> Any:
    entries = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise RefusedError("it is no archive of torch.save: it has no single data.pkl")
    folder = pickles[0].removesuffix("data.pkl")

    def content(name: str) -> bytes:
        if name not in entries or entries[name].compress_type != zipfile.ZIP_STORED:
            raise RefusedError(f"its part {name!r:.60} is missing or compressed")
        return archive.read(name)

    order = f"{folder}byteorder"
    if order in entries and content(order) != b"little":
        raise RefusedError("its numbers are not little-endian")
    names = Names(_RECIPES, lambda reference: _storage(reference, folder, content))
    return load(io.BytesIO(content(pickles[0])), names)


def _storage(reference: Any, folder: str, content: Callable[[str], bytes]) -> np.ndarray[Any, Any]:
    """Returns the values that a persistent id means."""
    match reference:
        case ("storage", kind, str(key), str(), int(count)):
            dtype = _TYPES.get(str(kind).removeprefix("torch."))
        case _:
            raise RefusedError("it refers to something that is no storage")
    if dtype is None:
        raise RefusedError("a tensor of a type that is no plain number")
    raw = content(f"{folder}data/{key}")
    values = np.frombuffer(raw, dtype)
    if len(values) != count:
        raise RefusedError(f"a storage of {count} values has {len(values)}")
    return values


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Any:
    """`torch._utils._rebuild_tensor_v2`: a view of a storage."""
    plain = isinstance(storage, np.ndarray) and isinstance(shape, tuple)
    sizes = (offset, *shape, *strides) if plain and isinstance(strides, tuple) else (None,)
    if not all(type(size) is int and size >= 0 for size in sizes) or len(shape) != len(strides):
        raise RefusedError("a tensor that is not (storage, offset, shape, strides)")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    count = math.prod(shape)
    # Strides of 0 would make an endless array of a few bytes.
    if count and (last >= len(storage) or count > len(storage)):
        raise RefusedError("a tensor reaches beyond its storage")
    if not count:
        return np.empty(shape, storage.dtype)
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)


def _parameter(tensor: Any, *_: Any) -> Any:
    if not isinstance(tensor, np.ndarray):
        raise RefusedError("a parameter that is no tensor")
    return tensor


def _never(*_: Any) -> Any:
    raise RefusedError("it makes a storage of its own")


_RECIPES: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    **{f"torch.{kind}": _never for kind in _TYPES},
}
