"""What every step from pixels to a tensor has in common."""

import inspect
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["pixels", "values", "tensor"]
"""pixels: uint8 RGB [h, w, 3]; values: float32 [h, w, 3]; tensor: float32 [3, h, w]."""


class Transform(ABC):
    """One step. It keeps every option under the option's own name and never changes its input.

    Attributes:
        takes: the forms of an image that the step works on.
        gives: the form that it returns; None when it is the one that it was given.
    """

    takes: ClassVar[tuple[Form, ...]] = ("pixels",)
    gives: ClassVar[Form | None] = None

    @abstractmethod
    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns the transformed image; chance comes from `rng` and from nowhere else."""

    def options(self) -> dict[str, Any]:
        """Returns the options in force (None is none), so that the step can be written down."""
        names = inspect.signature(type(self)).parameters
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options().items())
        return f"{type(self).__name__}({options})"


class FixedTransform(Transform):
    """A step without chance."""

    @abstractmethod
    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Returns the transformed image."""

    def __call__(self, image: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Returns the transformed image; nothing is drawn from `rng`."""
        del rng
        return self.apply(image)


def check_fraction(name: str, value: float) -> float:
    """Returns `value` when it lies in [0, 1].

    Raises:
        ValueError: it does not; `name` says which option it is.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must be from 0 to 1.")
    return value


def check_fill(value: int) -> int:
    """Returns a grey level for new pixels when it lies in [0, 255].

    Raises:
        ValueError: it does not.
    """
    if not 0 <= value <= 255:
        raise ValueError(f"fill is {value}; it must be from 0 (black) to 255 (white).")
    return value


def check_range(name: str, given: list[float] | None, default: tuple[float, float]) -> list[float]:
    """Returns [low, high], or the default when none is given.

    Raises:
        ValueError: not two numbers with 0 < low <= high.
    """
    low_high = list(default if given is None else given)
    if len(low_high) != 2 or not 0 < low_high[0] <= low_high[1]:
        raise ValueError(f"{name} is {given}; it must be [low, high] with 0 < low <= high.")
    return low_high
