"""Small pictures in one colour, as they stand on packages.

Each is a list of closed outlines in a square of -1..1 (y down), filled by the even-odd rule.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from dataset_tools.demo_products.design import Colour

Outline = npt.NDArray[np.float64]
_SUBPIXEL_BITS = 4


def draw_emblem(
    image: npt.NDArray[np.uint8],
    emblem: str,
    centre: tuple[float, float],
    radius: float,
    colour: Colour,
) -> None:
    """Draws an emblem onto an RGB picture; centre and radius in pixels."""
    scale = 1 << _SUBPIXEL_BITS
    outlines = [
        np.round((outline * radius + np.array(centre)) * scale).astype(np.int32)
        for outline in _OUTLINES[emblem]()
    ]
    cv2.fillPoly(image, outlines, colour, cv2.LINE_AA, _SUBPIXEL_BITS)


def _polar(radius: npt.ArrayLike, count: int, start: float = -np.pi / 2) -> Outline:
    """Points around the centre at equal angles; `radius` is one number, or one a point."""
    angle = start + np.arange(count) * 2 * np.pi / count
    radii = np.resize(np.asarray(radius, dtype=np.float64), count)
    return np.stack([np.cos(angle) * radii, np.sin(angle) * radii], axis=1)


def _points(*values: float) -> Outline:
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def _circle(x: float, y: float, radius: float) -> Outline:
    outline = _polar(radius, 40)
    outline += (x, y)
    return outline


def _sun() -> list[Outline]:
    turn = 2 * np.pi / 10
    beams = [
        _polar([1, 0.66, 0.66], 3, i * turn)[[0]].tolist()
        + [[0.66 * np.cos(i * turn + s), 0.66 * np.sin(i * turn + s)] for s in (0.2, -0.2)]
        for i in range(10)
    ]
    return [_circle(0, 0, 0.52), *(np.array(beam) for beam in beams)]


def _leaf() -> list[Outline]:
    t = np.linspace(0, np.pi, 20)
    side = np.stack([np.sin(t) * 0.5, -np.cos(t)], axis=1)
    blade = np.concatenate([side, side[::-1] * (-1, 1)])
    vein = _points(-0.06, -0.6, 0.06, -0.6, 0.06, 0.8, -0.06, 0.8)
    turn = np.array([[0.77, 0.64], [-0.64, 0.77]])
    return [blade @ turn, vein @ turn]


def _drop() -> list[Outline]:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return [np.stack([0.75 * np.sin(t) * np.sin(t / 2) ** 1.4, -np.cos(t)], axis=1)]


def _heart() -> list[Outline]:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
    return [np.stack([x, y], axis=1)]


def _moon() -> list[Outline]:
    t = np.linspace(0.25 * np.pi, 1.75 * np.pi, 30)
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    inner = np.stack([np.cos(t) * 0.74 + 0.34, np.sin(t) * 0.72], axis=1)
    return [np.concatenate([outer, inner[::-1]])]


def _fish() -> list[Outline]:
    t = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    body = np.stack([np.cos(t) * 0.72 - 0.25, np.sin(t) * 0.45], axis=1)
    tail = _points(0.42, 0, 1, -0.5, 0.85, 0, 1, 0.5)
    return [body, tail, _circle(-0.6, -0.1, 0.09)]


def _cross() -> list[Outline]:
    arm = _points(-0.32, -0.32, -0.32, -1, 0.32, -1)
    turns = (
        np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        for a in np.arange(4) * np.pi / 2
    )
    return [np.concatenate([arm @ turn for turn in turns])]


def _cup() -> list[Outline]:
    bowl = _points(-0.9, -0.5, 0.5, -0.5, 0.35, 0.6, 0.15, 0.8, -0.55, 0.8, -0.75, 0.6)
    handle = _circle(0.62, -0.02, 0.38)
    hole = _circle(0.62, -0.02, 0.2)
    steam = _points(-0.5, -1, -0.35, -1, -0.35, -0.65, -0.5, -0.65)
    return [bowl, handle, hole, steam, steam + np.array((0.4, 0))]


def _tree() -> list[Outline]:
    crown = _points(
        0, -1, 0.5, -0.35, 0.25, -0.35, 0.7, 0.2, 0.4, 0.2, 0.9, 0.7,
        -0.9, 0.7, -0.4, 0.2, -0.7, 0.2, -0.25, -0.35, -0.5, -0.35,
    )  # fmt: skip
    return [crown, _points(-0.15, 0.75, 0.15, 0.75, 0.15, 1, -0.15, 1)]


_OUTLINES: dict[str, Callable[[], list[Outline]]] = {
    "star": lambda: [_polar([1, 0.42], 10)],
    "leaf": _leaf,
    "sun": _sun,
    "drop": _drop,
    "heart": _heart,
    "mountain": lambda: [
        _points(-1, 0.75, -0.35, -0.8, 0.05, 0.1, 0.35, -0.4, 1, 0.75),
        _points(-0.52, -0.35, -0.35, -0.8, -0.16, -0.36, -0.34, -0.15),
    ],
    "ring": lambda: [_circle(0, 0, 1), _circle(0, 0, 0.62), _circle(0, 0, 0.32)],
    "diamond": lambda: [
        _points(0, -1, 0.8, 0, 0, 1, -0.8, 0),
        _points(0, -0.45, 0.36, 0, 0, 0.45, -0.36, 0),
    ],
    "crown": lambda: [
        _points(-0.9, 0.7, -1, -0.55, -0.45, 0, 0, -0.85, 0.45, 0, 1, -0.55, 0.9, 0.7),
        _points(-0.8, 0.36, 0.8, 0.36, 0.8, 0.48, -0.8, 0.48),
    ],
    "fish": _fish,
    "tree": _tree,
    "bolt": lambda: [
        _points(0.25, -1, -0.6, 0.15, -0.05, 0.15, -0.3, 1, 0.6, -0.25, 0.05, -0.25, 0.5, -1)
    ],
    "moon": _moon,
    "flower": lambda: [
        *(_circle(0.6 * np.cos(a), 0.6 * np.sin(a), 0.36) for a in np.arange(6) * np.pi / 3),
        _circle(0, 0, 0.22),
    ],
    "house": lambda: [
        _points(0, -1, 1, -0.1, 0.72, -0.1, 0.72, 0.85, -0.72, 0.85, -0.72, -0.1, -1, -0.1),
        _points(-0.2, 0.85, -0.2, 0.2, 0.2, 0.2, 0.2, 0.85),
    ],
    "cross": _cross,
    "cup": _cup,
    "arrow": lambda: [_points(0, -1, 0.85, 0, 0.35, 0, 0.35, 1, -0.35, 1, -0.35, 0, -0.85, 0)],
}
