"""Pairs of pictures that look the same: saved again, scaled, turned, or one cut out of the other.

Codes propose pairs (`code_table`), thumbnails laid on one another confirm them (`alignment`). The
work grows a little faster than the number of pictures: only false proposals grow with its square,
and they are few. The memory is about 4 KiB a picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.audit.alignment import agreements, align
from toolkit.audit.code_table import CodeTable, cheapest_of_each_pair
from toolkit.audit.window_codes import (
    TURNS,
    WINDOWS,
    blocks,
    turned,
    whole_frequencies,
    window_codes,
)

# Pictures that are looked up at once, and pairs that are aligned at once: bounds the memory.
_PICTURES_A_BLOCK = 1024
_PAIRS_A_BLOCK = 1024
# A pair that agrees less than this before it is aligned is not worth aligning.
_LEAST_BEFORE = 0.1
# Pictures whose detail covers less of them than this are drawings: any two strokes agree when one
# may be cut, stretched and turned, so these are compared as they are. Of photographs of groceries
# 99 in 100 have more than 0.48, drawings of Omniglot have at most 0.36.
_LEAST_SPREAD = 0.37
# A window of at least this share of both sides is the whole picture.
_WHOLE = 0.97


@dataclass(frozen=True, slots=True)
class Alike:
    """Two pictures that look the same.

    Attributes:
        part: number of the picture that is the other one, or a part of it.
        whole: number of the other picture.
        turn: how `part` lies, a number of `TURNS`.
        height: share of the rows of `whole` that `part` shows, at most 1.
        width: share of the columns.
        agreement: of the details, at most 1.
    """

    part: int
    whole: int
    turn: int
    height: float
    width: float
    agreement: float

    @property
    def is_cut(self) -> bool:
        """Whether `part` shows less than the whole."""
        return min(self.height, self.width) < _WHOLE


def look_alikes(
    thumbnails: NDArray[np.uint8], *, radius: int, least_agreement: float
) -> Iterator[Alike]:
    """Finds the pairs among many pictures, each once.

    Args:
        thumbnails: uint8 [n, 32, 32], none of them flat.
        radius: how many of the 64 bits of two codes may differ.
        least_agreement: what confirms a pair, see `alignment`.
    """
    rich = _spread(thumbnails) >= _LEAST_SPREAD
    first, windows, turns, bits = _proposals(thumbnails, rich, radius)
    second, windows = np.divmod(windows, len(WINDOWS))
    as_they_are = (windows == 0) & (turns == 0)
    allowed = (first != second) & (as_they_are | (rich[first] & rich[second]))
    first, second, windows, turns, bits = (
        values[allowed] for values in (first, second, windows, turns, bits)
    )
    cost = (bits * len(TURNS) + turns) * len(WINDOWS) + windows
    chosen = cheapest_of_each_pair(first, second, cost)
    alignable = rich[first] & rich[second]
    for block in blocks(len(chosen), _PAIRS_A_BLOCK):
        some = chosen[block]
        guess = WINDOWS[windows[some]]
        pairs = _Pairs(first[some], second[some], turns[some], guess, alignable[some])
        yield from _confirmed(thumbnails, pairs, least_agreement)


@dataclass(frozen=True)
class _Pairs:
    """Pairs that were proposed: parts, wholes, turns, windows, and whether to align them."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    turns: NDArray[np.int64]
    windows: NDArray[np.float64]
    rich: NDArray[np.bool_]


def _spread(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns over what share of each picture its detail is spread, in (0, 1].

    That is the participation ratio of the slopes: 1 when all are equal, 1 / 1024 when one pixel has
    them all.
    """
    shares = []
    for block in blocks(len(thumbnails), _PICTURES_A_BLOCK):
        pixels = thumbnails[block].astype(np.float32)
        slopes = np.abs(np.gradient(pixels, axis=1)) + np.abs(np.gradient(pixels, axis=2))
        slopes = slopes.reshape(len(pixels), -1)
        squares = np.maximum((slopes**2).mean(axis=1), 1e-9)
        shares.append(slopes.mean(axis=1) ** 2 / squares)
    return np.concatenate([np.empty(0), *shares])


def _proposals(
    thumbnails: NDArray[np.uint8], rich: NDArray[np.bool_], radius: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Looks every picture up among the windows of all pictures; of plain ones only the whole.

    Returns:
        Number of the picture, number of the window in the flat order of all pictures' windows,
        turn and different bits, see `CodeTable.within`.
    """
    wholes = np.empty(len(thumbnails), dtype=np.uint64)
    codes, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for block in blocks(len(thumbnails), _PICTURES_A_BLOCK):
        every = window_codes(thumbnails[block])
        wholes[block] = every[:, 0]
        kept = np.broadcast_to(rich[block, None], every.shape).copy()
        kept[:, 0] = True
        codes.append(every[kept])
        numbers.append(np.flatnonzero(kept) + block.start * len(WINDOWS))
    number = np.concatenate(numbers)
    table = CodeTable(np.concatenate(codes))
    found = [(np.empty(0, np.int64),) * 4]
    for block in blocks(len(thumbnails), _PICTURES_A_BLOCK):
        frequencies = whole_frequencies(thumbnails[block])
        pictures, entries, turns, bits = table.within(frequencies, wholes[block], radius)
        found.append((pictures + block.start, number[entries], turns, bits))
    first, windows, turns, bits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, windows, turns, bits


def _confirmed(thumbnails: NDArray[np.uint8], pairs: _Pairs, least: float) -> Iterator[Alike]:
    parts, wholes = thumbnails[pairs.first], thumbnails[pairs.second]
    for turn in range(1, len(TURNS)):
        lying = pairs.turns == turn
        parts[lying] = turned(parts[lying], turn)
    windows = pairs.windows
    agreement = agreements(parts, wholes, windows)
    moving = np.flatnonzero(pairs.rich & (agreement >= _LEAST_BEFORE) & (agreement < least))
    windows[moving], agreement[moving] = align(parts[moving], wholes[moving], windows[moving])
    for k in np.flatnonzero(agreement >= least):
        _, height, _, width = windows[k].tolist()
        first, second, turn = int(pairs.first[k]), int(pairs.second[k]), int(pairs.turns[k])
        yield Alike(first, second, turn, height, width, float(agreement[k]))
