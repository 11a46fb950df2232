"""Pictures for `benchmarks.check`: planted faults, variants of photographs, and very many of them.

All are drawn from real photographs, repeatably.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.runtime import cores_allowed

Pixels = NDArray[np.uint8]
_Change = Callable[[Pixels, np.random.Generator], Pixels]

_QUALITY = 85
# Photographs that the many pictures are cut from; they stay in memory, 200 kB each.
_SOURCES = 1500
_SIDE = 256


def read_pixels(file: Path) -> Pixels:
    """Returns RGB."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def jpeg(pixels: Pixels, quality: int = _QUALITY) -> bytes:
    """Returns the pixels as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def saved_again(pixels: Pixels, quality: int = _QUALITY) -> Pixels:
    """Returns what is read from the pixels saved as JPEG."""
    with Image.open(io.BytesIO(jpeg(pixels, quality))) as picture:
        return np.asarray(picture.convert("RGB"))


def _scaled(factor: float) -> _Change:
    def change(pixels: Pixels, _: np.random.Generator) -> Pixels:
        size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        return np.asarray(picture)

    return change


def _cut(share: float | tuple[float, float], *, centred: bool) -> _Change:
    def change(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        kept = share if isinstance(share, float) else float(rng.uniform(*share))
        height, width = (round(side * kept) for side in pixels.shape[:2])
        free = (pixels.shape[0] - height, pixels.shape[1] - width)
        if centred:
            top, left = free[0] // 2, free[1] // 2
        else:
            top, left = (int(rng.integers(0, room + 1)) for room in free)
        return pixels[top : top + height, left : left + width]

    return change


def _one_side_cut(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    width = round(pixels.shape[1] * rng.uniform(0.75, 0.95))
    left = int(rng.integers(0, pixels.shape[1] - width + 1))
    return pixels[:, left : left + width]


def _rotated(degrees: float) -> _Change:
    def change(pixels: Pixels, _: np.random.Generator) -> Pixels:
        picture = Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC)
        return np.asarray(picture)

    return change


def _quality(number: int) -> _Change:
    return lambda pixels, _: saved_again(pixels, number)


VARIANTS: Mapping[str, _Change] = {
    **{f"JPEG quality {number}": _quality(number) for number in (90, 70, 50, 30, 20)},
    "resized to 1/2": _scaled(0.5),
    "resized to 1/4": _scaled(0.25),
    "resized to 2x": _scaled(2),
    "mirrored": lambda pixels, _: pixels[:, ::-1],
    "upside down": lambda pixels, _: pixels[::-1],
    "brighter": lambda pixels, _: np.clip(pixels * 1.2 + 10, 0, 255).astype(np.uint8),
    "cut to 90 %, centred": _cut(0.9, centred=True),
    "cut to 90 %, anywhere": _cut(0.9, centred=False),
    "cut to 80 %, centred": _cut(0.8, centred=True),
    "cut to 80 %, anywhere": _cut(0.8, centred=False),
    "cut to 70 %, centred": _cut(0.7, centred=True),
    "cut to 70 %, anywhere": _cut(0.7, centred=False),
    "cut to 75-95 %, anywhere": _cut((0.75, 0.95), centred=False),
    "width cut to 75-95 %": _one_side_cut,
    "cut to 80 % and mirrored": lambda p, rng: _cut(0.8, centred=False)(p, rng)[:, ::-1],
    "rotated by 3 degrees": _rotated(3),
}
"""Name -> what is done to a photograph; all but the first are saved at quality 85 afterwards."""


def variants(files: Sequence[Path], seed: int = 0) -> Iterator[tuple[str, int, bytes]]:
    """Yields (variant, number of the file, JPEG) of every variant of every photograph."""
    rng = np.random.default_rng(seed)
    for number, file in enumerate(files):
        pixels = read_pixels(file)
        for name, change in VARIANTS.items():
            quality = int(name.split()[-1]) if name.startswith("JPEG") else _QUALITY
            changed = pixels if name.startswith("JPEG") else change(pixels, rng)
            yield name, number, jpeg(changed, quality)


def _blurred(radius: float) -> _Change:
    return lambda pixels, _: np.asarray(cv2.GaussianBlur(pixels, (0, 0), radius), dtype=np.uint8)


def _flat(strength: float) -> _Change:
    def change(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        shade = rng.integers(90, 170, 3) + rng.normal(0, strength, pixels.shape)
        return np.clip(shade, 0, 255).astype(np.uint8)

    return change


def _dimmed(share: float) -> _Change:
    return lambda pixels, _: (pixels * share).astype(np.uint8)


def _washed_out(rest: float) -> _Change:
    return lambda pixels, _: (255 - (255 - pixels.astype(int)) * rest).astype(np.uint8)


def _strip(ratio: float) -> _Change:
    return lambda pixels, _: pixels[: max(8, round(pixels.shape[1] / ratio))]


FAULTS: Mapping[str, Mapping[str, _Change]] = {
    "dark": {f"brightness x {share}": _dimmed(share) for share in (0.08, 0.15, 0.28)},
    "light": {f"{rest} of the contrast, on white": _washed_out(rest) for rest in (0.02, 0.05)},
    "odd_aspect_ratio": {f"strip 1 : {ratio}": _strip(ratio) for ratio in (3, 6, 25)},
    "odd_size": {"resized to 6x": _scaled(6), "resized to 1/6": _scaled(1 / 6)},
    "low_information": {"flat": _flat(0), "flat with noise": _flat(0.8)},
    "blurry": {f"blurred by {radius} pixels": _blurred(radius) for radius in (6, 10, 20)},
}
"""Issue type of cleanvision -> what plants it; grey and duplicates are planted by `faults`."""


def faults(files: Sequence[Path], each: int, seed: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """Yields (issue type, suffix, file) of planted faults, `each` of every way to plant them."""
    rng = np.random.default_rng(seed)
    left = iter(files)
    for kind, ways in FAULTS.items():
        for change in ways.values():
            for _ in range(each):
                yield kind, "png", _png(change(read_pixels(next(left)), rng))
    for _ in range(each):
        grey = read_pixels(next(left)).mean(axis=2).astype(np.uint8)
        yield "grayscale", "png", _png(grey)
    for _ in range(each):
        file = next(left)
        yield "exact_duplicates", file.suffix[1:], file.read_bytes()
    for _ in range(each):
        yield "near_duplicates", "jpg", jpeg(read_pixels(next(left)), 80)


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _halves(sources: Sequence[Pixels], rng: np.random.Generator, side: int) -> Pixels:
    """Lays parts of two photographs side by side, or one above the other."""
    parts = []
    for source in rng.choice(len(sources), 2, replace=False):
        pixels = sources[source]
        share = rng.uniform(0.5, 0.7)
        length = round(min(pixels.shape[:2]) * share)
        top, left = (int(rng.integers(0, room - length)) for room in pixels.shape[:2])
        part = pixels[top : top + length, left : left + length]
        parts.append(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))
    at = int(rng.integers(side * 3 // 8, side * 5 // 8))
    first, second = parts
    joined = first.copy()
    if rng.random() < 0.5:
        joined[:, at:] = second[:, at:]
    else:
        joined[at:] = second[at:]
    return np.asarray(joined, dtype=np.uint8)


def many(files: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Writes pictures that are all different, each of parts of two photographs; keeps old ones.

    Args:
        files: the photographs.
        count: how many pictures.
        folder: where they go, 1,000 a folder.
    """
    paths = [folder / f"{number // 1000:03}" / f"{number:06}.jpg" for number in range(count)]
    missing = [number for number, path in enumerate(paths) if not path.is_file()]
    if not missing:
        return paths
    for parent in {path.parent for path in paths}:
        parent.mkdir(parents=True, exist_ok=True)
    sources = [read_pixels(file) for file in files[:: max(1, len(files) // _SOURCES)][:_SOURCES]]

    def write(number: int) -> None:
        pixels = _halves(sources, np.random.default_rng([7, number]), _SIDE)
        paths[number].write_bytes(jpeg(pixels))

    with ThreadPoolExecutor(cores_allowed()) as pool:
        list(pool.map(write, missing))
    return paths


def many_thumbnails(thumbnails: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Makes thumbnails as `many` makes pictures, from thumbnails [n, 32, 32] of photographs."""
    sources = list(thumbnails)
    made = np.empty((count, *thumbnails.shape[1:]), dtype=np.uint8)
    for number in range(count):
        made[number] = _halves(sources, np.random.default_rng([8, number]), thumbnails.shape[1])
    return made
