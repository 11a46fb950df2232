"""The checksum CRC-32C (Castagnoli) of large arrays of bytes, in numpy.

A checksum goes through its bytes one after the other; in Python that is a few megabytes a second.
But it is linear: the checksum of two pieces follows from those of both. So thousands of short
pieces are taken through together, two bytes a step, and then joined in pairs.

Source: RFC 3720, appendix B.4, for polynomial and check values; the mask is leveldb's
(``table_format.md``, ``util/crc32c.h``).
"""

from collections.abc import Iterator
from functools import cache, reduce

import numpy as np
from numpy.typing import NDArray

_Words = NDArray[np.uint32]
# The polynomial 0x1EDC6F41 with its bits in reverse.
_POLYNOMIAL = 0x82F63B78
_ALL_BITS = 0xFFFFFFFF
_PIECES = 4096
_CHUNK = 1 << 20


def crc32c(*parts: bytes | memoryview) -> int:
    """Returns the checksum of some bytes, one behind the other."""
    state = _ALL_BITS
    for chunk in (chunk for part in parts for chunk in _chunks(part)):
        state = int(_behind(np.array([state], np.uint32), len(chunk))[0]) ^ _from_zero(chunk)
    return state ^ _ALL_BITS


def masked(checksum: int) -> int:
    """Returns the form in which leveldb and TensorFlow store a checksum beside its bytes."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & _ALL_BITS


def _chunks(part: bytes | memoryview) -> Iterator[memoryview]:
    view = memoryview(part)
    return (view[at : at + _CHUNK] for at in range(0, len(view), _CHUNK))


def _from_zero(chunk: memoryview) -> int:
    """Takes the state 0 through a chunk; zeros in front of it change nothing, so it is filled up.

    The pieces lie in rows here, two bytes a column.
    """
    pieces = _PIECES if len(chunk) > 16 * _PIECES else 1
    steps = -(-len(chunk) // (2 * pieces))
    filled = np.zeros(2 * pieces * steps, np.uint8)
    filled[filled.size - len(chunk) :] = np.frombuffer(chunk, np.uint8)
    columns = np.ascontiguousarray(filled.view("<u2").reshape(pieces, steps).T).astype(np.uint32)
    table, state = _two_byte_table(), np.zeros(pieces, np.uint32)
    for column in columns:
        state = table[(state ^ column) & 0xFFFF] ^ (state >> 16)
    length = 2 * steps
    while state.size > 1:
        state = _behind(state[0::2], length) ^ state[1::2]
        length *= 2
    return int(state[0])


def _behind(states: _Words, num_bytes: int) -> _Words:
    """Takes states through a number of zero bytes."""
    for power, matrix in enumerate(_zero_matrices()):
        if num_bytes >> power & 1:
            states = _times(matrix, states)
    return states


def _times(matrix: _Words, states: _Words) -> _Words:
    """Adds up, without carry, what each set bit of a state becomes."""
    bits = (matrix[bit] * (states >> np.uint32(bit) & np.uint32(1)) for bit in range(32))
    return reduce(np.bitwise_xor, bits)


@cache
def _zero_matrices() -> tuple[_Words, ...]:
    """Returns what becomes of each bit behind 1, 2, 4, ... zero bytes, up to 2**31."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    matrix = reduce(lambda states, _: _shifted(states), range(8), bits)
    matrices = [matrix]
    for _ in range(31):
        matrices.append(_times(matrices[-1], matrices[-1]))
    return tuple(matrices)


@cache
def _two_byte_table() -> _Words:
    """Returns what becomes of each value of two bytes behind 16 zero bits."""
    values = np.arange(1 << 16, dtype=np.uint32)
    return reduce(lambda states, _: _shifted(states), range(16), values)


def _shifted(states: _Words) -> _Words:
    return (states >> np.uint32(1)) ^ (np.uint32(_POLYNOMIAL) * (states & np.uint32(1)))
