"""A set of positions as packed bits, in the form that FAISS takes."""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Selection:
    """Some of the positions 0 to `size` - 1.

    Attributes:
        bits: uint8 [size / 8, rounded up]; the lowest bit is the first position.
        size: how many positions there are.
        count: how many of them are in the set.
    """

    bits: NDArray[np.uint8]
    size: int
    count: int

    @classmethod
    def of_bits(cls, bits: NDArray[np.uint8], size: int) -> "Selection":
        """Counts the bits; those from `size` on must be 0."""
        return cls(bits, size, int(np.unpackbits(bits).sum(dtype=np.int64)))

    @classmethod
    def of_positions(cls, positions: NDArray[np.int64], size: int) -> "Selection":
        """Returns the set of these positions."""
        chosen = np.zeros(size, np.bool_)
        chosen[positions] = True
        return cls.of_bits(np.packbits(chosen, bitorder="little"), size)

    def positions(self) -> NDArray[np.int64]:
        """Returns the set, int64 [count], ascending."""
        chosen = np.unpackbits(self.bits, count=self.size, bitorder="little")
        return np.flatnonzero(chosen).astype(np.int64)

    def selector(self) -> "faiss.IDSelectorBitmap":
        """Returns the set as FAISS takes it; it refers to `bits`, so keep this object."""
        return faiss.IDSelectorBitmap(self.size, faiss.swig_ptr(self.bits))


def restricted_to(selection: Selection) -> Any:
    """Returns what tells FAISS to find these positions only."""
    make: Any = faiss.SearchParameters  # the package's stubs lack its arguments
    return make(sel=selection.selector())
