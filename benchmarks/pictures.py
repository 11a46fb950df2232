"""Pictures to measure on, built from real photographs; the same parameters give the same pictures.

Small ones are single photographs, cut to a square. Large ones are mosaics of many different
photographs in their own size, so that they are as hard to decode as a camera's picture; a small
photograph enlarged would be smooth, and easy.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from toolkit.data.manifest import read_manifest
from toolkit.runtime import cores_allowed
from toolkit.storage import atomic_path, write_json

_RECORD = "parameters.json"
# One for each time around the photographs, so that no two pictures are the same.
_TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)
# What every mosaic draws its photographs from; as tiles they take 180 MB while mosaics are built.
_TILES_KEPT = 960


@dataclass(frozen=True)
class SmallPictures:
    """Single photographs, cut to a square and resized; the second time around mirrored, and so on.

    Attributes:
        count: number of pictures.
        side: in pixels.
        quality: of the JPEG, 1 to 95.
    """

    count: int
    side: int = 348
    quality: int = 90

    def build(self, photographs: Sequence[Path], folder: Path) -> list[Path]:
        """Writes what is missing of them and returns their paths."""
        if self.count > len(_TURNS) * len(photographs):
            raise ValueError(
                f"{self.count} different pictures cannot be made of {len(photographs)} "
                f"photographs; {len(_TURNS)} of each is the most."
            )

        def draw(number: int) -> Image.Image:
            times, place = divmod(number, len(photographs))
            picture = _square(photographs[place], self.side)
            turn = _TURNS[times]
            return picture if turn is None else picture.transpose(turn)

        return _write_all(folder, self, self.count, draw, self.quality)


@dataclass(frozen=True)
class Mosaics:
    """Large pictures of many different photographs side by side.

    Attributes:
        count: number of pictures.
        width: in pixels, a multiple of `tile`.
        height: in pixels, a multiple of `tile`.
        tile: side of a photograph in the mosaic.
        quality: of the JPEG, 1 to 95.
    """

    count: int
    width: int = 4000
    height: int = 3000
    tile: int = 250
    quality: int = 90

    def build(self, photographs: Sequence[Path], folder: Path) -> list[Path]:
        """Writes what is missing of them and returns their paths."""
        columns, rows = self.width // self.tile, self.height // self.tile
        kept = photographs[:: max(1, len(photographs) // _TILES_KEPT)][:_TILES_KEPT]
        tiles: list[Image.Image] = []

        def draw(number: int) -> Image.Image:
            # Where there are too few photographs for a mosaic, they come again.
            chosen = np.resize(
                np.random.default_rng(number).permutation(len(tiles)), columns * rows
            )
            mosaic = Image.new("RGB", (self.width, self.height))
            for place, tile in enumerate(chosen):
                row, column = divmod(place, columns)
                mosaic.paste(tiles[tile], (column * self.tile, row * self.tile))
            return mosaic

        if not _is_built(folder, self):
            with ThreadPoolExecutor(cores_allowed()) as pool:
                tiles += pool.map(lambda file: _square(file, self.tile), kept)
        return _write_all(folder, self, self.count, draw, self.quality)


def photographs_of(dataset: Path) -> list[Path]:
    """Returns the pictures of a dataset's lists, in their order."""
    manifests = [
        read_manifest(dataset / f"{split}.txt", root=dataset, split=split)
        for split in ("train", "gallery", "query")
    ]
    return [manifest.resolve(sample) for manifest in manifests for sample in manifest.samples]


def _square(file: Path, side: int) -> Image.Image:
    with Image.open(file) as picture:
        return ImageOps.fit(picture.convert("RGB"), (side, side), Image.Resampling.BICUBIC)


def _write_all(
    folder: Path,
    kind: SmallPictures | Mosaics,
    count: int,
    draw: Callable[[int], Image.Image],
    quality: int,
) -> list[Path]:
    paths = [folder / f"{number:05d}.jpg" for number in range(count)]
    if _is_built(folder, kind):
        return paths
    (folder / _RECORD).unlink(missing_ok=True)

    def write(number: int) -> None:
        with atomic_path(paths[number]) as temporary:
            draw(number).save(temporary, format="JPEG", quality=quality)

    with ThreadPoolExecutor(cores_allowed()) as pool:
        list(pool.map(write, range(count)))
    # Written last: a folder without it was not finished.
    write_json(folder / _RECORD, asdict(kind))
    return paths


def _is_built(folder: Path, kind: SmallPictures | Mosaics) -> bool:
    record = folder / _RECORD
    if not record.is_file():
        return False
    written = json.loads(record.read_text(encoding="utf-8"))
    # More pictures of the same kind serve as well.
    wanted = asdict(kind) | {"count": written["count"]}
    return bool(written == wanted and written["count"] >= kind.count)
