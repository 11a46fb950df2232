"""Packages in space: one product, turned and tilted, as a picture with transparency.

Round bodies are surfaces of revolution, sampled pixel by pixel from a print that is wrapped around
them; boxes are faces in true perspective; bags are flat with a swollen middle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataset_tools.demo_products.artwork import Pixels, back, front
from dataset_tools.demo_products.design import Colour, Design

# float32; cv2's own annotations do not say so.
Floats = npt.NDArray[Any]
Corners = npt.NDArray[np.float64]

SIDE = 192
_TIN: Colour = (196, 198, 202)
_GLASS: Colour = (58, 44, 34)
_HALF_HEIGHT = 0.44 * SIDE


@dataclass(frozen=True)
class Pose:
    """How a product stands before the camera.

    Attributes:
        yaw: turn about the upright axis, radians; 0 shows the front.
        pitch: how far the camera looks down, radians above 0.
        light: where the light comes from, -1 left to 1 right.
    """

    yaw: float
    pitch: float
    light: float


@dataclass(frozen=True)
class _Round:
    """A surface of revolution, from top (0) to bottom (1).

    Attributes:
        profile: (place, radius in half heights) pairs.
        label: where the print begins and ends.
        cap: where the cap ends; 0 for none.
        glass: True for dark glass beside the label; otherwise it is as the back of the print.
        metal: True for tin above and below the label.
    """

    profile: tuple[tuple[float, float], ...]
    label: tuple[float, float]
    cap: float = 0
    glass: bool = False
    metal: bool = False


_ROUND = {
    "can": _Round(((0, 0.42), (0.05, 0.5), (0.94, 0.5), (1, 0.43)), (0.06, 0.94), metal=True),
    "tin": _Round(((0, 0.8), (0.05, 0.8), (1, 0.8)), (0.1, 0.92), metal=True),
    "bottle": _Round(
        ((0, 0.15), (0.12, 0.15), (0.13, 0.13), (0.26, 0.14), (0.42, 0.4), (0.97, 0.4), (1, 0.36)),
        (0.46, 0.9),
        cap=0.1,
        glass=True,
    ),
    "jar": _Round(
        ((0, 0.52), (0.16, 0.52), (0.17, 0.48), (0.28, 0.6), (0.95, 0.6), (1, 0.54)),
        (0.32, 0.88),
        cap=0.16,
        glass=True,
    ),
    "tub": _Round(((0, 0.74), (0.07, 0.74), (0.08, 0.69), (1, 0.5)), (0.1, 0.97), cap=0.07),
}
# The heights of what is not as tall as a bottle.
_HEIGHTS = {"tin": 0.62, "tub": 0.78, "jar": 0.86, "box": 0.95}
# Half width, half height and half depth, in half heights.
_BOXES = {"box": (0.68, 1.0, 0.24), "carton": (0.46, 0.8, 0.42)}


class Body:
    """A product whose print is drawn once and looked at many times."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._height = _HEIGHTS.get(design.body, 1.0)
        self._look: Callable[[Pose], tuple[Floats, Floats]]
        if design.body in _ROUND:
            self._look = self._round
            self._shape = _ROUND[design.body]
            self._print = _wrapped(design, self._shape, self._height)
        elif design.body in _BOXES:
            self._look = self._boxed
            self._faces = _faces(design)
        else:
            self._look = self._flat
            self._print = front(design, 140, 200)
            self._reverse = back(design, 140, 200)

    def look(self, pose: Pose) -> tuple[Floats, Floats]:
        """Returns colour [SIDE, SIDE, 3], 0..255, and opacity [SIDE, SIDE], 0..1."""
        return self._look(pose)

    def _round(self, pose: Pose) -> tuple[Floats, Floats]:
        shape = self._shape
        half = self._height
        drop = float(np.sin(pose.pitch))
        x, y = _GRID
        places, radii = np.array(shape.profile, np.float32).T
        place = (y / half + 1) / 2
        for _ in range(2):
            # Where the camera looks down, the near side of a circle hangs below its middle.
            radius = np.interp(place, places, radii).astype(np.float32)
            across = np.clip(x / radius, -1, 1)
            depth = np.sqrt(1 - across**2)
            place = ((y - drop * radius * (depth - 0.5)) / half + 1) / 2
        inside = (radius - np.abs(x)) * _HALF_HEIGHT
        ends = np.minimum(place, 1 - place) * 2 * half * _HALF_HEIGHT
        opacity = np.clip(np.minimum(inside, ends) + 0.5, 0, 1)
        angle = np.arcsin(across) + pose.yaw
        height, width = self._print.shape[:2]
        map_x = ((angle / (2 * np.pi) + 0.5) % 1) * (width - 1)
        map_y = np.clip(place, 0, 1) * (height - 1)
        colour = cv2.remap(self._print, map_x.astype(np.float32), map_y, cv2.INTER_LINEAR)
        colour = colour * _shine(across, depth, pose.light)[..., None]
        return self._lid(colour, opacity, drop)

    def _lid(self, colour: Floats, opacity: Floats, drop: float) -> tuple[Floats, Floats]:
        radius = self._shape.profile[0][1]
        middle = -self._height - drop * radius * 0.5
        # Only the rows that the lid can be in: this is done for every picture.
        reach = drop * radius + 0.05
        rows = slice(*np.searchsorted(_GRID[1][:, 0], (middle - reach, middle + reach)))
        x, y = (plane[rows] for plane in _GRID)
        distance = np.sqrt(x**2 + ((y - middle) / max(drop, 0.01)) ** 2) / radius
        edge = (1 - distance) * (radius * _HALF_HEIGHT * drop * 2) + 0.5
        share = np.clip(edge, 0, 1)[..., None]
        lid = np.array(self._design.palette[2] if self._shape.cap else _TIN, np.float32)
        rim = np.float32(1.08) - np.float32(0.28) * (np.abs(distance - 0.88) < 0.06)
        colour[rows] += (np.minimum(lid * rim[..., None], 255) - colour[rows]) * share
        opacity[rows] = np.maximum(opacity[rows], share[..., 0])
        return colour, opacity

    def _flat(self, pose: Pose) -> tuple[Floats, Floats]:
        x, y = _GRID
        place = (y + 1) / 2
        squeeze = float(np.cos(pose.yaw))
        sheet = self._print if squeeze > 0 else self._reverse
        pouch = self._design.body == "pouch"
        if pouch:
            width = 0.66 - 0.06 * np.sin(np.pi * place) + 0.015 * np.sin(place * 40)
        else:
            width = 0.44 - 0.2 * place**2
        width = (width * max(abs(squeeze), 0.2)).astype(np.float32)
        across = np.clip(x / width, -1, 1)
        map_x = (across + 1) / 2 * (sheet.shape[1] - 1)
        map_y = np.clip(place / (1 if pouch else 0.88), 0, 1) * (sheet.shape[0] - 1)
        colour = cv2.remap(sheet, map_x, map_y.astype(np.float32), cv2.INTER_LINEAR)
        colour = self._ends(colour.astype(np.float32), place)
        swollen = np.sin(np.pi * np.clip(place, 0, 0.999)) ** 0.5 if pouch else place
        turned = across * 0.75 * np.clip(swollen, 0, 1)
        shade = _shine(turned, np.sqrt(1 - turned**2), pose.light)
        inside = np.minimum((width - np.abs(x)), 1 - np.abs(y)) * _HALF_HEIGHT
        return colour * shade[..., None], np.clip(inside + 0.5, 0, 1).astype(np.float32)

    def _ends(self, colour: Floats, place: Floats) -> Floats:
        """A crimped seam at the top of a bag and a tube; the cap at the foot of a tube."""
        seam = place < 0.07
        if self._design.body == "pouch":
            seam |= place > 0.95
        colour[seam] = colour[seam] * 0.5 + 100 + 40 * np.sin(place[seam, None] * 300)
        if self._design.body == "tube":
            foot = place > 0.88
            ribs = 0.85 + 0.15 * np.sin(_GRID[0][foot, None] * 90)
            colour[foot] = np.array(self._design.palette[2]) * ribs
        return colour

    def _boxed(self, pose: Pose) -> tuple[Floats, Floats]:
        turn = _rotation(pose)
        colour = np.zeros((SIDE, SIDE, 3), np.uint8)
        opacity = np.zeros((SIDE, SIDE), np.uint8)
        light = np.array([pose.light, -0.7, -0.9]) / np.hypot(1.14, pose.light)
        for corners, picture in self._faces:
            placed = corners @ turn.T
            flat = placed[:, :2] * 7 / (7 + placed[:, 2:]) * _HALF_HEIGHT + SIDE / 2
            if cv2.contourArea(flat.astype(np.float32), oriented=True) < 4:
                continue
            # From the diagonals: two corners of a gable are one.
            normal = np.cross(placed[3] - placed[1], placed[2] - placed[0])
            shade = 0.62 + 0.45 * max(float(normal @ light) / float(np.linalg.norm(normal)), -0.6)
            mask = _quad(flat)
            # One pixel wider than the face, so that its soft edge mixes with no black.
            wide = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
            lit = cv2.convertScaleAbs(_onto(picture, flat), alpha=shade)
            fresh = wide & (opacity == 0)
            colour[fresh] = lit[fresh]
            over = mask > 0
            share = mask[over, None].astype(np.float32) / 255
            colour[over] = (colour[over] * (1 - share) + lit[over] * share).astype(np.uint8)
            np.maximum(opacity, mask, out=opacity)
        return colour.astype(np.float32), opacity.astype(np.float32) / 255


def _grid() -> tuple[Floats, Floats]:
    line = (np.arange(SIDE, dtype=np.float32) + 0.5 - SIDE / 2) / np.float32(_HALF_HEIGHT)
    x, y = np.meshgrid(line, line)
    return x, y


_GRID = _grid()


def _shine(across: Floats, depth: Floats, light: float) -> Floats:
    """Light on a surface that is turned sideways by `across` (the sine of its angle)."""
    facing = np.clip(across * float(np.sin(light)) + depth * float(np.cos(light)), 0, 1)
    return 0.42 + 0.62 * facing + 0.55 * cv2.pow(facing, 40)


def _wrapped(design: Design, shape: _Round, height: float) -> Pixels:
    """The print around a round body: the front in the middle, the back on the far side."""
    rows = round(220 * height)
    columns = round(220 * np.pi * 0.5)
    ground, second, accent, _ = design.palette
    body = _GLASS if shape.glass else _TIN if shape.metal else ground
    sheet = np.full((rows, columns, 3), body, np.uint8)
    top, bottom = (round(place * rows) for place in shape.label)
    middle = columns // 2
    width = min(round(columns * 0.38), round((bottom - top) * 1.5))
    left = middle - width // 2
    sheet[top:bottom] = back(design, columns, bottom - top) if not shape.glass else second
    sheet[top:bottom, left : left + width] = front(design, width, bottom - top)
    cap = round(shape.cap * rows)
    ribs = (0.86 + 0.14 * np.sin(np.arange(columns) * 0.9))[None, :, None]
    sheet[:cap] = np.clip(np.array(accent) * ribs, 0, 255).astype(np.uint8)
    return sheet


def _faces(design: Design) -> list[tuple[Corners, Pixels | Colour]]:
    """The faces of a box, far ones first, each with its corners (clockwise from the top left)."""
    w, h, d = _BOXES[design.body]
    ground, second, accent, _ = design.palette
    plain = max(ground, second, key=sum)
    side = back(design, max(round(200 * d), 24), round(200 * h))
    big = front(design, round(200 * w), round(200 * h))
    walls: list[tuple[Corners, Pixels | Colour]] = [
        (_corners((-w, -h, d), (-w, -h, -d), (-w, h, -d), (-w, h, d)), side),
        (_corners((w, -h, -d), (w, -h, d), (w, h, d), (w, h, -d)), side),
        (_corners((w, -h, d), (-w, -h, d), (-w, h, d), (w, h, d)), back(design, 140, 200)),
        (_corners((-w, -h, -d), (w, -h, -d), (w, h, -d), (-w, h, -d)), big),
    ]
    if design.body == "box":
        return [(_corners((-w, -h, d), (w, -h, d), (w, -h, -d), (-w, -h, -d)), plain), *walls]
    return [*walls, *_gable_top(w, h, d, plain, accent)]


def _gable_top(
    w: float, h: float, d: float, plain: Colour, accent: Colour
) -> list[tuple[Corners, Pixels | Colour]]:
    """The roof of a milk carton: two gables, two slopes, and the seam along the ridge."""
    ridge, seam = -h - 0.32, -h - 0.46
    faces: list[tuple[Corners, Pixels | Colour]] = []
    for x, z in ((-w, -d), (w, d)):
        faces += [
            (_corners((x, ridge, 0), (x, ridge, 0), (x, -h, z), (x, -h, -z)), plain),
            (_corners((x, ridge, 0), (-x, ridge, 0), (-x, -h, z), (x, -h, z)), accent),
        ]
    for x in (-w, w):
        faces.append((_corners((x, seam, 0), (-x, seam, 0), (-x, ridge, 0), (x, ridge, 0)), plain))
    return faces


def _corners(*points: tuple[float, float, float]) -> Corners:
    return np.array(points, dtype=np.float64)


def _rotation(pose: Pose) -> npt.NDArray[np.float64]:
    cos_yaw, sin_yaw = np.cos(pose.yaw), np.sin(pose.yaw)
    cos_pitch, sin_pitch = np.cos(pose.pitch), np.sin(pose.pitch)
    yaw = np.array([[cos_yaw, 0, sin_yaw], [0, 1, 0], [-sin_yaw, 0, cos_yaw]])
    pitch = np.array([[1, 0, 0], [0, cos_pitch, -sin_pitch], [0, sin_pitch, cos_pitch]])
    rotation: npt.NDArray[np.float64] = pitch @ yaw
    return rotation


def _quad(corners: Corners) -> Pixels:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return mask


def _onto(picture: Pixels | Colour, corners: Corners) -> Pixels:
    if isinstance(picture, tuple):
        return np.full((SIDE, SIDE, 3), picture, np.uint8)
    height, width = picture.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    size = (SIDE, SIDE)
    return cv2.warpPerspective(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
