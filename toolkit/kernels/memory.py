"""Paddle's memory seen as numpy arrays, without a copy."""

import ctypes
import sys
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

# Options of mallopt, from malloc.h of the GNU C library.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Lets this process keep the memory that a step frees for the next step.

    The C library gives large blocks back to the system and gets new, empty pages for each: at 224
    pixels that is a quarter of a fast step. It is done where that library is the GNU one.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        for option, value in (
            (_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26),
        ):  # fmt: skip
            library.mallopt(option, value)


class _Memory:
    """What numpy asks of an object whose memory it is to use."""

    def __init__(self, pointer: int, shape: tuple[int, ...]) -> None:
        self.__array_interface__ = {
            "version": 3,
            "data": (pointer, False),
            "shape": shape,
            "typestr": "<f4",
        }


def array_of(tensor: Tensor) -> NDArray[np.float32]:
    """Returns the numbers of a dense float32 tensor on the CPU; writing changes the tensor.

    The array does not keep the memory alive: it is for use while the tensor is held.
    """
    pointer: Any = tensor.data_ptr()
    return np.asarray(_Memory(pointer, tuple(tensor.shape)))


def dense(tensor: Tensor) -> Tensor:
    """Returns the tensor itself, or a copy of it without gaps if it is a view with some."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def empty(*shape: int) -> Tensor:
    """Returns a float32 tensor with any content.

    It is Paddle's memory on purpose: Paddle keeps freed memory for the next step, where numpy
    gives it back to the system and pays for every page again.
    """
    return paddle.empty(list(shape), dtype="float32")
