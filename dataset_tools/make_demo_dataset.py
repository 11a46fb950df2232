"""Draws a retrieval dataset: packaged products, photographed in many places. Needs no download.

python dataset_tools/make_demo_dataset.py output/demo/dataset

The products of train.txt are others than those of gallery.txt and query.txt. The same arguments
give the same bytes. Products share a few palettes, and light and surroundings change from picture
to picture, so colour alone does not tell them apart: as drawn by default, an HSV histogram (8x8x8
bins, L1 distance) has a recall@1 of 0.245 on the 16 unseen products, where chance is 0.06. A test
holds it below 0.45.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from dataset_tools.demo_products.artwork import Pixels
from dataset_tools.demo_products.bodies import Body
from dataset_tools.demo_products.design import BODIES, EMBLEMS, draw_designs
from dataset_tools.demo_products.scene import look_around, photograph
from toolkit.data.manifest import Sample, write_manifest
from toolkit.errors import DatasetError, ToolkitError

_JPEG_QUALITY = 92
# Products that stand around in the pictures and are in no list.
_NUM_BYSTANDERS = 16


@dataclass(frozen=True)
class Sizes:
    """How much to draw.

    Attributes:
        train_classes: products in train.txt.
        test_classes: other products, in gallery.txt and query.txt.
        train_images: pictures of each train product.
        gallery_images: gallery pictures of each test product.
        query_images: query pictures of each test product.
        side: width and height of a picture in pixels.
    """

    train_classes: int = 32
    test_classes: int = 16
    train_images: int = 30
    gallery_images: int = 12
    query_images: int = 12
    side: int = 128


def make_demo_dataset(folder: Path, sizes: Sizes, *, seed: int) -> dict[str, list[Sample]]:
    """Draws the pictures and writes train.txt, gallery.txt and query.txt.

    Args:
        folder: the dataset's root; made when it is not there.
        sizes: how much to draw.
        seed: fixes everything.

    Returns:
        Split name -> its rows.
    """
    num_classes = sizes.train_classes + sizes.test_classes
    designs = draw_designs(num_classes + _NUM_BYSTANDERS, np.random.default_rng(seed))
    bystanders = look_around(
        [Body(design) for design in designs[num_classes:]], np.random.default_rng([seed, 0])
    )
    samples: dict[str, list[Sample]] = {"train": [], "gallery": [], "query": []}
    for number, design in enumerate(designs[:num_classes]):
        body = Body(design)
        for image, split in enumerate(_splits(number, sizes)):
            # One generator a picture: a picture does not depend on how many others are drawn.
            rng = np.random.default_rng([seed, 1, number, image])
            pixels = photograph(body, bystanders, rng, side=sizes.side)
            path = f"images/{design.name}/{design.name}_{image:03d}.jpg"
            _write_jpeg(folder / path, pixels)
            samples[split].append(Sample(path, design.name, len(samples[split]) + 1))
    # Last, so that the lists are there only when all pictures are.
    for split, rows in samples.items():
        write_manifest(folder / f"{split}.txt", rows)
    return samples


def _splits(number: int, sizes: Sizes) -> list[str]:
    """Names the split of each picture of a product."""
    if number < sizes.train_classes:
        return ["train"] * sizes.train_images
    return ["gallery"] * sizes.gallery_images + ["query"] * sizes.query_images


def _write_jpeg(file: Path, pixels: Pixels) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    file.write_bytes(data.tobytes())


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = vars(_parser().parse_args(arguments))
    folder, seed, force = options.pop("folder"), options.pop("seed"), options.pop("force")
    start = time.perf_counter()
    try:
        _check(folder, Sizes(**options), force=force)
        samples = make_demo_dataset(folder, Sizes(**options), seed=seed)
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for split, rows in samples.items():
        print(f"{split:8}{len(rows):6} pictures of {len({row.label for row in rows})} products")
    print(f"Drawn in {time.perf_counter() - start:.1f} s: {folder}")
    return 0


def _check(folder: Path, sizes: Sizes, *, force: bool) -> None:
    for name, value in vars(sizes).items():
        if value < 1:
            raise DatasetError(f"--{name.replace('_', '-')} must be 1 or more, got {value}.")
    most = len(BODIES) * len(EMBLEMS) - _NUM_BYSTANDERS
    if sizes.train_classes + sizes.test_classes > most:
        raise DatasetError(
            f"At most {most} products can be told apart; "
            f"got {sizes.train_classes} + {sizes.test_classes}."
        )
    if folder.exists() and any(folder.iterdir()) and not force:
        raise DatasetError(f"{folder} is not empty; --force draws into it all the same.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Draws a retrieval dataset of packaged products; needs no download.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="OUT", help="where to draw it")
    parser.add_argument("--seed", type=int, default=0, help="fixes everything")
    parser.add_argument("--force", action="store_true", help="draw into a folder with files in it")
    for name, text in (
        ("train_classes", "products in train.txt"),
        ("test_classes", "other products, in gallery.txt and query.txt"),
        ("train_images", "pictures of each train product"),
        ("gallery_images", "gallery pictures of each test product"),
        ("query_images", "query pictures of each test product"),
        ("side", "width and height of a picture in pixels"),
    ):
        option = f"--{name.replace('_', '-')}"
        default = getattr(Sizes, name)
        parser.add_argument(option, type=int, default=default, metavar="N", help=text)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
