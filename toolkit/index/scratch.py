"""Working memory that is kept: fresh pages cost as much as the sums done in them."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch:
    """Arrays by name; each is written over when its name is asked for again."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Returns an array with any content in the memory of that name."""
        size = int(np.prod(shape))
        if name not in self._memory or len(self._memory[name]) < size:
            self._memory[name] = np.empty(size, dtype)
        return self._memory[name][:size].reshape(shape)
