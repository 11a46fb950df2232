"""A photograph of a product: a place, things around it, a hand-held camera, changing light."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dataset_tools.demo_products.artwork import Pixels
from dataset_tools.demo_products.bodies import SIDE, Body, Floats, Pose

Look = tuple[Floats, Floats]

_CENTRE = (SIDE / 2, SIDE / 2)


@dataclass(frozen=True)
class _Layer:
    """Something in front of the background: colour [SIDE, SIDE, 3] and opacity [SIDE, SIDE]."""

    colour: Floats
    opacity: Floats


def look_around(bodies: Sequence[Body], rng: np.random.Generator) -> list[Look]:
    """Looks at each thing from a few sides, so that it can stand around in many pictures."""
    return [
        body.look(Pose(yaw + rng.normal(0, 0.2), rng.uniform(0.05, 0.35), rng.uniform(-1, 1)))
        for body in bodies
        for yaw in (-0.4, 0.4, 3.0)
    ]


def photograph(
    body: Body, bystanders: Sequence[Look], rng: np.random.Generator, *, side: int
) -> Pixels:
    """Takes one picture of a product.

    Args:
        body: the product.
        bystanders: what may stand around it, or in front; see `look_around`.
        rng: decides everything that changes from picture to picture.
        side: width and height in pixels.

    Returns:
        RGB uint8 [side, side, 3].
    """
    canvas = _background(rng)
    light = rng.uniform(-1, 1)
    for _ in range(rng.choice(4, p=(0.4, 0.35, 0.2, 0.05))):
        canvas = _put(canvas, _bystander(bystanders, rng), softness=rng.uniform(0.4, 2))
    pose = Pose(np.clip(rng.normal(0, 0.3), -0.7, 0.7), rng.uniform(0.03, 0.4), light)
    product = _moved(
        body.look(pose),
        angle=rng.normal(0, 9),
        scale=rng.uniform(0.76, 1.06),
        shift=(rng.normal(0, 0.05), rng.normal(0, 0.04)),
        skew=rng.normal(0, 0.018, (4, 2)),
    )
    canvas = _put(_shadowed(canvas, product, light), product, softness=0)
    if rng.random() < 0.35:
        canvas = _put(canvas, _occluder(bystanders, rng), softness=rng.uniform(0, 1.2))
    return _exposed(canvas, light, rng, side)


def _moved(
    look: Look,
    *,
    angle: float,
    scale: float,
    shift: tuple[float, float],
    skew: Floats | None = None,
) -> _Layer:
    """Turns (degrees), scales and shifts (in sides), as a camera that is not held straight."""
    matrix = np.vstack([cv2.getRotationMatrix2D(_CENTRE, angle, scale), [0, 0, 1]])
    matrix[:2, 2] += np.array(shift) * SIDE
    if skew is not None:
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        moved = (square + skew).astype(np.float32) * SIDE
        matrix = matrix @ cv2.getPerspectiveTransform(square * SIDE, moved)
    colour, opacity = (
        cv2.warpPerspective(plane, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR) for plane in look
    )
    return _Layer(colour, opacity)


def _put(canvas: Floats, layer: _Layer, *, softness: float) -> Floats:
    """Lays something onto the canvas; `softness` is how far out of focus it is, in pixels."""
    # Premultiplied: outside of the layer its colour means nothing and must not bleed in.
    opacity = layer.opacity[..., None]
    colour = layer.colour * opacity
    if softness > 0.3:
        colour = cv2.GaussianBlur(colour, (0, 0), softness)
        opacity = cv2.GaussianBlur(layer.opacity, (0, 0), softness)[..., None]
    canvas *= 1 - opacity
    canvas += colour
    return canvas


def _shadowed(canvas: Floats, layer: _Layer, light: float) -> Floats:
    small = cv2.resize(layer.opacity, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA)
    move = np.array([[1, 0, -light * 4], [0, 1, 2]], np.float32)
    small = cv2.warpAffine(small, move, (SIDE // 4, SIDE // 4))
    shadow = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2), (SIDE, SIDE))
    canvas *= 1 - 0.55 * shadow[..., None]
    return canvas


def _bystander(bystanders: Sequence[Look], rng: np.random.Generator) -> _Layer:
    side = -1 if rng.random() < 0.5 else 1
    return _moved(
        bystanders[int(rng.integers(len(bystanders)))],
        angle=rng.normal(0, 5),
        scale=rng.uniform(0.5, 0.9),
        shift=(side * rng.uniform(0.24, 0.5), rng.uniform(-0.2, 0.15)),
    )


def _occluder(bystanders: Sequence[Look], rng: np.random.Generator) -> _Layer:
    """Something that hides a part of the product: a thing in front, a price tag, or a thumb."""
    side = -1 if rng.random() < 0.5 else 1
    kind = rng.integers(3)
    if kind == 0:
        return _moved(
            bystanders[int(rng.integers(len(bystanders)))],
            angle=rng.normal(0, 12),
            scale=rng.uniform(0.5, 0.75),
            shift=(side * rng.uniform(0.3, 0.42), rng.uniform(0.25, 0.5)),
        )
    return (_price_tag if kind == 1 else _thumb)(side, rng)


def _price_tag(side: int, rng: np.random.Generator) -> _Layer:
    opacity = np.zeros((SIDE, SIDE), np.uint8)
    x, y = SIDE * (0.5 + side * rng.uniform(0.05, 0.3)), SIDE * rng.uniform(0.74, 0.95)
    corners = cv2.boxPoints(((x, y), (SIDE * 0.3, SIDE * 0.16), rng.normal(0, 8)))
    cv2.fillConvexPoly(opacity, corners.astype(np.int32), 255, cv2.LINE_AA)
    paper = np.array([rng.uniform(220, 255), rng.uniform(200, 250), rng.uniform(90, 240)])
    plane = np.broadcast_to(paper.astype(np.float32), (SIDE, SIDE, 3)).copy()
    left = round(x - SIDE * 0.1)
    for line in range(-2, 3):
        row = round(y + line * SIDE * 0.022)
        cv2.line(plane, (left, row), (left + int(rng.integers(10, 36)), row), (30, 30, 30), 2)
    return _Layer(plane, opacity.astype(np.float32) / 255)


def _thumb(side: int, rng: np.random.Generator) -> _Layer:
    opacity = np.zeros((SIDE, SIDE), np.uint8)
    middle = rng.uniform(0.35, 0.8)
    centre = (SIDE * (0.5 + side * 0.46), SIDE * middle)
    box = (centre, (SIDE * 0.42, SIDE * 0.15), side * rng.uniform(-30, 10))
    cv2.ellipse(opacity, box, 255, cv2.FILLED, cv2.LINE_AA)
    skin = np.array([224, 172, 140], np.float32) * np.float32(rng.uniform(0.4, 1.05))
    down = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None] - np.float32(middle)
    plane = skin * np.clip(1.05 - 50 * down**2, 0.45, 1.1)
    return _Layer(np.repeat(plane, SIDE, axis=1), opacity.astype(np.float32) / 255)


def _noise(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    """Smooth noise with a standard deviation near 1: coarse values, enlarged."""
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def _colour(rng: np.random.Generator) -> Floats:
    """A colour for a wall or a table: mostly greyish, now and then a strong one."""
    hue, saturation = rng.uniform(0, 180), 255 * rng.beta(1.2, 4)
    pixel = np.array([[[hue, saturation, rng.uniform(60, 235)]]]).astype(np.uint8)
    colour: Floats = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
    return colour


def _wall(rng: np.random.Generator) -> Floats:
    noise = _noise(rng, 5, 5) * 9
    noise += _noise(rng, 60, 60) * rng.uniform(1, 6)
    plane: Floats = _colour(rng) + noise[..., None]
    return plane


def _wood(rng: np.random.Generator) -> Floats:
    tone = rng.uniform(110, 215) * np.array([1, rng.uniform(0.66, 0.84), rng.uniform(0.4, 0.66)])
    grain = _noise(rng, 40, 3) * 10 + _noise(rng, 90, 6) * 7
    board = (np.arange(SIDE) + rng.integers(60)) // rng.integers(34, 60)
    shade = rng.normal(0, 12, SIDE)[board]
    joint = np.where(np.diff(board, prepend=board[0]) != 0, -45, 0)
    plane = tone + (grain + (shade + joint)[:, None])[..., None]
    wood: Floats = plane.astype(np.float32)
    return wood if rng.random() < 0.6 else wood.transpose(1, 0, 2)


def _tiles(rng: np.random.Generator) -> Floats:
    step = int(rng.integers(26, 60))
    plane = _wall(rng)
    start = rng.integers(step, size=2)
    for offset in range(-step, SIDE + step, step):
        plane[max(offset + start[0], 0) : max(offset + start[0] + 2, 0)] *= 0.75
        plane[:, max(offset + start[1], 0) : max(offset + start[1] + 2, 0)] *= 0.75
    return plane


def _cloth(rng: np.random.Generator) -> Floats:
    first = _colour(rng)
    second = first + (_colour(rng) - first) * np.float32(rng.uniform(0.3, 1))
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + 6 * _noise(rng, 4, 4)
    period = rng.uniform(9, 26)
    lines = (np.sin(x * 2 * np.pi / period) > 0.2).astype(np.float32)
    if rng.random() < 0.5:
        lines = (lines + (np.sin(y * 2 * np.pi / period) > 0.2)) / 2
    cloth: Floats = first + (second - first) * lines[..., None]
    cloth += _noise(rng, 90, 90)[..., None] * 5
    return cloth


_SURFACES: tuple[Callable[[np.random.Generator], Floats], ...] = (_wall, _wood, _tiles, _cloth)


def _background(rng: np.random.Generator) -> Floats:
    """A surface seen from above, or a wall with a board or a table before it."""
    plane = _SURFACES[rng.integers(len(_SURFACES))](rng)
    if rng.random() < 0.6:
        edge = int(SIDE * rng.uniform(0.55, 0.9))
        plane[edge:] = _SURFACES[rng.integers(len(_SURFACES))](rng)[edge:]
        plane[edge - 3 : edge] *= 0.7
    return np.clip(plane, 8, 250).astype(np.float32)


def _exposed(canvas: Floats, light: float, rng: np.random.Generator, side: int) -> Pixels:
    """What the camera makes of it: uneven and coloured light, exposure, focus, noise."""
    image = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    line = np.linspace(-1, 1, side, dtype=np.float32)
    slope = 1 + rng.uniform(0, 0.3) * light * line[None, :] - rng.uniform(-0.1, 0.2) * line[:, None]
    vignette = 1 - rng.uniform(0, 0.22) * (line[None, :] ** 2 + line[:, None] ** 2) / 2
    warmth, tint = rng.normal(0, 0.07), rng.normal(0, 0.025)
    gains = np.exp(np.array([warmth, tint, -warmth])) * np.exp(rng.normal(-0.02, 0.15))
    image = image * (slope * vignette)[..., None] * gains.astype(np.float32)
    image = 255 * cv2.pow(np.clip(image / 255, 0, 1), float(np.exp(rng.normal(0, 0.1))))
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9))
    noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(1.5, 6)
    pixels: Pixels = np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)
    return pixels
