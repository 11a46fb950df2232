"""A small clean dataset drawn from noise, into which a test plants its fault."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from toolkit.audit.dataset import load_dataset
from toolkit.audit.doctor import examine


def draw(seed: int, height: int = 80, width: int = 96) -> np.ndarray:
    """Blotches of colour, coarse and fine grain: sharp at every size, and like no other seed."""
    rng = np.random.default_rng(seed)
    blotches = rng.integers(30, 226, (7, 7, 3)).astype(np.uint8)
    smooth = cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    coarse = rng.integers(-30, 31, (20, 24, 1)).astype(np.int16)
    smooth += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    return np.clip(smooth + rng.integers(-25, 26, smooth.shape), 0, 255).astype(np.uint8)


class Planted:
    """A dataset on disk: rows can be added and changed, then it is examined."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: dict[str, list[str]] = {"train": [], "gallery": [], "query": []}
        self.seed = 0
        for split, labels, number in (
            ("train", "abc", 4),
            ("gallery", "xy", 3),
            ("query", "xy", 2),
        ):
            for label in labels:
                for index in range(number):
                    self.add(split, f"images/{split}_{label}{index}.png", label)

    def add(
        self, split: str, path: str, label: str, pixels: np.ndarray | None = None, **options
    ) -> Path:
        """Saves a picture and adds its row."""
        self.seed += 1
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(self.seed) if pixels is None else pixels).save(file, **options)
        self.rows[split].append(f"{path} {label}")
        return file

    def add_row(self, split: str, row: str) -> int:
        """Adds a row as it is; returns its line number."""
        self.rows[split].append(row)
        return len(self.rows[split])

    def add_file(self, split: str, path: str, label: str, data: bytes) -> int:
        """Saves bytes and adds their row; returns its line number."""
        (self.root / path).write_bytes(data)
        return self.add_row(split, f"{path} {label}")

    def read(self, path: str) -> np.ndarray:
        return np.asarray(Image.open(self.root / path))

    def write_lists(self) -> None:
        for split, rows in self.rows.items():
            text = "".join(f"{row}\n" for row in rows)
            (self.root / f"{split}.txt").write_text(text, encoding="utf-8")

    def examine(self, *args, **kwargs):
        """Examines it in this process; see `toolkit.audit.doctor.examine`."""
        self.write_lists()
        return examine(load_dataset(self.root), *args, **{"workers": 0, **kwargs})

    def found(self, *args, **kwargs) -> list[tuple]:
        """(code, files, (list, line) pairs) of each finding but the remark on open or closed."""
        return [
            (f.code, f.files, tuple((Path(line.file).name, line.line) for line in f.lines))
            for f in self.examine(*args, **kwargs).findings
            if not f.code.startswith(("split.open", "split.closed"))
        ]
