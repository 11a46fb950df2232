"""What the few names that a weight file may call stand for: arrays, numbers, bytes, dicts, tuples.

Nothing of numpy is handed to a file. Each name is text that is answered by a function here, which
looks at every argument before it builds anything.

Source: the states of `numpy.ndarray.__reduce__` and `numpy.dtype.__reduce__`; `paddle.save`.
"""

import math
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np

_NUMBER_TYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f(2|4|8|16)|c(8|16))")
_MAX_DIMENSIONS = 32


class RefusedError(Exception):
    """The bytes are no pickle, or a pickle of something that a weight file does not hold."""


@dataclass(frozen=True)
class Name:
    """A global of the file: two words, never an imported object."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute}"


class Dtype:
    """The type of an array; its byte order arrives later, with the opcode BUILD."""

    def __init__(self, value: np.dtype[Any]) -> None:
        self.value = value

    def build(self, state: Any) -> None:
        """Takes the byte order from the state that numpy wrote."""
        match state:
            case (3 | 4, "<" | ">" | "|" | "=" as order, None, None, None, *_):
                self.value = self.value.newbyteorder(order)
            case _:
                raise RefusedError("the type of an array has fields or an unknown byte order")


class Array:
    """An array; shape, type and bytes arrive later, with the opcode BUILD."""

    value: np.ndarray[Any, Any] | None = None

    def build(self, state: Any) -> None:
        """Takes shape, type and bytes from the state that numpy wrote."""
        match state:
            case (1, tuple() as shape, Dtype() as dtype, bool() | 0 | 1 as fortran, raw):
                self.value = _values(_as_bytes(raw), dtype, shape, fortran=bool(fortran))
            case _:
                raise RefusedError("the state of an array is not (1, shape, type, order, bytes)")


def known_name(module: str, attribute: str, known: Container[str]) -> Name:
    """Returns the name of something that is among the `known`, in its newest spelling."""
    # numpy 2 renamed numpy.core, Python 3 renamed __builtin__; files of all four are in use.
    renamed = re.sub(r"^numpy\.core\.", "numpy._core.", module)
    name = Name("builtins" if renamed == "__builtin__" else renamed, attribute)
    if str(name) not in known and str(name) != "numpy.ndarray":
        raise RefusedError(f"it names {module}.{attribute}")
    return name


def describe(value: Any) -> str:
    """Returns a value of the file in words, for a message; never its `repr`."""
    return str(value) if isinstance(value, Name) else f"a value of type {type(value).__name__}"


def checked_key(key: Any) -> Any:
    """Returns a key of a dict if it is plain."""
    if not isinstance(key, str | int | float | bytes | None):
        raise RefusedError(f"a dict has {describe(key)} as a key")
    return key


def _dtype(text: Any, *_: Any) -> Dtype:
    if not isinstance(text, str) or not _NUMBER_TYPE.fullmatch(text):
        raise RefusedError(f"an array of type {text!r:.40}; only numbers are allowed")
    return Dtype(np.dtype(text))


def _empty_array(kind: Any, *_: Any) -> Array:
    if kind != Name("numpy", "ndarray"):
        raise RefusedError(f"an array of class {describe(kind)}")
    return Array()


def _number(dtype: Any, raw: Any) -> Any:
    if not isinstance(dtype, Dtype):
        raise RefusedError("a numpy number without a type")
    return _values(_as_bytes(raw), dtype, (), fortran=False)[()]


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> Array:
    array = Array()
    array.build((1, shape, dtype, order == "F", raw))
    return array


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    # How protocol 2 writes bytes. Other codecs would import modules or expand without bound.
    if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
        raise RefusedError(f"bytes in the encoding {encoding!r:.40}")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    # How protocol 2 writes bytes of length 0. It takes no argument.
    return b""


def _pairs_to_dict(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, list | tuple):
        raise RefusedError("an OrderedDict is not made of pairs")
    return {checked_key(key): value for key, value in pairs}


def _tensor(named: Any) -> Any:
    """`paddle.save` writes a nested tensor as tuple((name, array)); it is read as the array."""
    match named:
        case (str(), Array() as array):
            return array
        case list() | tuple():
            return tuple(named)
        case _:
            raise RefusedError("a tuple is made of something that is no list")


def _as_bytes(raw: Any) -> bytes | bytearray:
    if isinstance(raw, str):  # bytes of Python 2
        return raw.encode("latin-1")
    if not isinstance(raw, bytes | bytearray):
        raise RefusedError("the values of an array are not bytes")
    return raw


def _values(
    raw: bytes | bytearray, dtype: Dtype, shape: tuple[Any, ...], *, fortran: bool
) -> np.ndarray[Any, Any]:
    """Returns the array in this machine's byte order, with memory of its own."""
    sizes = [size for size in shape if isinstance(size, int) and size >= 0]
    if len(sizes) != len(shape) or len(shape) > _MAX_DIMENSIONS:
        raise RefusedError("the shape of an array is not a short tuple of sizes")
    if math.prod(sizes) * dtype.value.itemsize != len(raw):
        raise RefusedError(f"an array of shape {shape} and {dtype.value} has {len(raw)} bytes")
    flat = np.frombuffer(raw, dtype.value) if raw else np.empty(0, dtype.value)
    shaped = flat.reshape(sizes, order="F" if fortran else "C")
    return shaped.astype(dtype.value.newbyteorder("="), copy=True)


RECIPES: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray.scalar": _number,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "collections.OrderedDict": _pairs_to_dict,
    "builtins.tuple": _tensor,
    "_codecs.encode": _encoded,
    "builtins.bytes": _no_bytes,
}
