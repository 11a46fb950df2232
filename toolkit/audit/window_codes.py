"""What a picture and its parts look like, as 64-bit codes, so that a crop is found by its code.

A code holds the signs of the 8 x 8 lowest frequencies (discrete cosine transform) of a window of
the thumbnail. Brightness and contrast do not change a sign, and a mirrored picture has the same
frequencies with every other sign turned, so its code is known without looking at it again.

Source: the DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions"
(2010), section 3.2, with signs instead of a comparison with the median, on several windows.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Rows and columns of a thumbnail."""

NUM_FREQUENCIES = 8
# A window keeps 1, 0.95, ... 0.7 of a side and begins at a multiple of the step.
_STEP = 0.05
_NUM_LENGTHS = 7


def frequencies_along(
    starts: NDArray[np.float64], lengths: NDArray[np.float64], kept: int
) -> NDArray[np.float32]:
    """Returns matrices that turn a row of thumbnail pixels into the frequencies of a part of it.

    A pixel is constant over its width, so the cosine is integrated over it: parts may begin and end
    inside a pixel.

    Args:
        starts: where each part begins, [0, 1), float64 [n].
        lengths: how long each part is, (0, 1], float64 [n].
        kept: how many frequencies, 1 or more; the first is the mean.

    Returns:
        float32 [n, kept, 32].
    """
    edges = np.arange(SIDE + 1, dtype=np.float32) / SIDE
    inside = (edges - starts[:, None].astype(np.float32)) / lengths[:, None].astype(np.float32)
    inside = np.clip(inside, 0, 1)[:, None, :]  # [n, 1, 33]
    angle = (np.pi * np.arange(1, kept, dtype=np.float32))[:, None]
    waves = np.sqrt(np.float32(2)) * np.diff(np.sin(angle * inside)) / angle
    matrices: NDArray[np.float32] = np.concatenate([np.diff(inside), waves], axis=1)
    return matrices


def _segments() -> tuple[NDArray[np.float64], NDArray[np.float64], list[slice]]:
    """Returns starts and lengths of all parts of a side, the whole first, and a slice a length."""
    counts = range(1, _NUM_LENGTHS + 1)
    starts = np.concatenate([np.arange(count) * _STEP for count in counts])
    lengths = np.concatenate([np.full(count, 1 - (count - 1) * _STEP) for count in counts])
    ends = np.cumsum(counts)
    return (
        starts,
        lengths,
        [slice(end - count, end) for end, count in zip(ends, counts, strict=True)],
    )


_STARTS, _LENGTHS, _BY_LENGTH = _segments()
_MATRICES = frequencies_along(_STARTS, _LENGTHS, NUM_FREQUENCIES)
_PARTS = slice(1, None)
# Rows and columns of a window: both cut alike, or one of them whole.
_GROUPS = [(part, part) for part in _BY_LENGTH] + [
    (_BY_LENGTH[0], _PARTS),
    (_PARTS, _BY_LENGTH[0]),
]


def _windows() -> NDArray[np.float64]:
    number = np.arange(len(_STARTS))
    pairs = [
        (row, column)
        for rows, columns in _GROUPS
        for row in number[rows]
        for column in number[columns]
    ]
    rows, columns = np.array(pairs).T
    return np.stack([_STARTS[rows], _LENGTHS[rows], _STARTS[columns], _LENGTHS[columns]], axis=1)


WINDOWS = _windows()
"""float64 [w, 4]: top, height, left and width of each window, in sides; the first is the whole."""


def window_codes(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Returns the code of each window of each thumbnail.

    Args:
        thumbnails: uint8 [n, 32, 32].

    Returns:
        uint64 [n, w], in the order of `WINDOWS`.
    """
    num = len(thumbnails)
    pixels = thumbnails.astype(np.float32)
    rows_of = _MATRICES.reshape(-1, SIDE) @ pixels  # [n, segments * 8, 32]
    codes = []
    for rows, columns in _GROUPS:
        along = _MATRICES[columns].reshape(-1, SIDE).T
        part = rows_of[:, rows.start * NUM_FREQUENCIES : _end(rows) * NUM_FREQUENCIES] @ along
        signs = (part > 0).reshape(num, -1, NUM_FREQUENCIES, part.shape[2] // 8, NUM_FREQUENCIES)
        codes.append(_packed(signs.swapaxes(2, 3)).reshape(num, -1))
    return np.concatenate(codes, axis=1)


def whole_frequencies(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the 8 x 8 lowest frequencies of each whole thumbnail, float32 [n, 8, 8]."""
    whole = _MATRICES[0]
    frequencies: NDArray[np.float32] = whole @ thumbnails.astype(np.float32) @ whole.T
    return frequencies


def _end(part: slice) -> int:
    return len(_STARTS) if part.stop is None else int(part.stop)


def _packed(signs: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Packs bools [..., 8, 8] into uint64 [...]."""
    octets = np.ascontiguousarray(np.packbits(signs, axis=-1)[..., 0])
    codes: NDArray[np.uint64] = octets.view(np.uint64)[..., 0]
    return codes


_VERTICAL, _HORIZONTAL = np.indices((NUM_FREQUENCIES, NUM_FREQUENCIES))

BITS: NDArray[np.uint64] = _packed(np.eye(64, dtype=bool).reshape(64, 8, 8))
"""uint64 [64]: the bit of each frequency, in the order of `whole_frequencies`, flattened."""

LOW: NDArray[np.bool_] = ((_VERTICAL + _HORIZONTAL > 0) & (_VERTICAL + _HORIZONTAL <= 6)).ravel()
"""bool [64]: the 27 frequencies that change least when a window is a little off."""

TURNS = ("", "mirrored", "upside down", "turned by 180 degrees")
"""How a picture may lie: the names of `TURN_MASKS`."""

TURN_MASKS: NDArray[np.uint64] = _packed(
    np.stack(
        [
            np.zeros((8, 8), bool),
            _HORIZONTAL % 2 == 1,
            _VERTICAL % 2 == 1,
            (_HORIZONTAL + _VERTICAL) % 2 == 1,
        ]
    )
)
"""uint64 [4]: the bits of a code that a turn inverts."""


def turned(thumbnails: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Turns thumbnails [n, 32, 32] as `TURNS` says."""
    if turn in (1, 3):
        thumbnails = thumbnails[:, :, ::-1]
    return thumbnails[:, ::-1] if turn in (2, 3) else thumbnails


def blocks(total: int, size: int) -> Iterator[slice]:
    """Cuts a range into slices of at most `size`."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))
