"""Lays a picture on the part of another that it may be, and says how well they agree.

Windows are searched on a coarse grid; here the window is moved and stretched until the two agree
best (Gauss-Newton on the frequencies), and is then judged by frequencies twice as high. These are
weighted by their size, as in a picture of edges: what is coarse agrees between any two photographs
of one shelf.

Source: the alignment is that of Lucas and Kanade, "An Iterative Image Registration Technique with
an Application to Stereo Vision" (IJCAI 1981), on frequencies instead of pixels.
"""

import numpy as np
from numpy.typing import NDArray

from toolkit.audit.window_codes import NUM_FREQUENCIES, frequencies_along

_JUDGED_FREQUENCIES = 16
_ROUNDS = 4
# Of the numeric derivative, in sides; a third of a pixel of the thumbnail.
_NUDGE = 0.01
_LARGEST_MOVE = 0.03
_SHORTEST = 0.6
# Keeps the equations solvable where a picture has no detail in one direction.
_DAMPING = 1e-3


def align(
    parts: NDArray[np.uint8], wholes: NDArray[np.uint8], windows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Finds the window of each whole that a part agrees with best, near a first guess.

    Args:
        parts: thumbnails, uint8 [n, 32, 32].
        wholes: thumbnails, uint8 [n, 32, 32].
        windows: top, height, left and width of the guesses, in sides, float64 [n, 4].

    Returns:
        The windows, float64 [n, 4], and the agreement there in [-1, 1], float64 [n].
    """
    part, whole = parts.astype(np.float32), wholes.astype(np.float32)
    everything = np.tile([0.0, 1.0, 0.0, 1.0], (len(parts), 1))
    wanted = _detail(part, everything, NUM_FREQUENCIES)
    for _ in range(_ROUNDS):
        windows = _moved(whole, windows, wanted)
    agreement = agreements(parts, wholes, windows)
    return windows, agreement


def agreements(
    parts: NDArray[np.uint8], wholes: NDArray[np.uint8], windows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns how well each part agrees with a window of its whole; arguments as in `align`."""
    everything = np.tile([0.0, 1.0, 0.0, 1.0], (len(parts), 1))
    part = _detail(parts.astype(np.float32), everything, _JUDGED_FREQUENCIES)
    whole = _detail(wholes.astype(np.float32), windows, _JUDGED_FREQUENCIES)
    return np.asarray(np.einsum("nd,nd->n", part, whole), dtype=np.float64)


def _moved(
    whole: NDArray[np.float32], windows: NDArray[np.float64], wanted: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Takes one Gauss-Newton step."""
    now = _detail(whole, windows, NUM_FREQUENCIES)
    # Backwards, so that a window that reaches the end of a side stays inside.
    slopes = np.stack(
        [
            (now - _detail(whole, windows - _NUDGE * axis, NUM_FREQUENCIES)) / _NUDGE
            for axis in np.eye(4)
        ],
        axis=1,
    )  # [n, 4, d]
    normal = slopes @ slopes.swapaxes(1, 2)
    damping = _DAMPING * np.trace(normal, axis1=1, axis2=2) + 1e-6
    normal += damping[:, None, None] * np.eye(4, dtype=np.float32)
    right = slopes @ (wanted - now)[..., None]
    step = np.linalg.solve(normal, right)[..., 0]
    return _inside(windows + np.clip(step, -_LARGEST_MOVE, _LARGEST_MOVE))


def _inside(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moves windows into the picture."""
    lengths = np.clip(windows[:, 1::2], _SHORTEST, 1)
    starts = np.clip(windows[:, 0::2], 0, 1 - lengths)
    return np.stack([starts[:, 0], lengths[:, 0], starts[:, 1], lengths[:, 1]], axis=1)


def _detail(
    thumbnails: NDArray[np.float32], windows: NDArray[np.float64], kept: int
) -> NDArray[np.float32]:
    """Returns the weighted frequencies of a window of each thumbnail, as unit vectors [n, d]."""
    rows = frequencies_along(windows[:, 0], windows[:, 1], kept)
    columns = frequencies_along(windows[:, 2], windows[:, 3], kept)
    frequencies = rows @ thumbnails @ columns.swapaxes(1, 2)
    vertical, horizontal = np.indices((kept, kept))
    weights = np.sqrt(vertical**2 + horizontal**2).astype(np.float32)  # the mean weighs nothing
    flat = (frequencies * weights).reshape(len(thumbnails), kept * kept)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    units: NDArray[np.float32] = flat / np.where(length == 0, 1, length)
    return units
