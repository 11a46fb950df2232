"""Opens inference models with PaddleX 3.7.2 and with this toolkit, and compares the features.

    python -m benchmarks.conformance.paddlex [MODEL_DIR [IMAGE ...]]

Without MODEL_DIR it writes some models: this toolkit's exports of PP-ShiTuV2_rec and of
PP-ShiTuV2_rec_CLIP_vit_base, and the exports that PaddleClas's own networks give under Paddle 3
(inference.json) and under Paddle 2 (inference.pdmodel), all with random weights, which are as good
for a comparison as trained ones. Without IMAGE it draws some, of every kind that both can read.

Each peer runs in a virtual environment of its own under output/conformance. PaddleX resizes every
picture bilinear, so this toolkit does too (``resize="bilinear"``). A line a model and image: the
cosine of PaddleX's feature with ours, one by one and in a batch. The exit code is 1 when one is
below 1 - 1e-6.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.conformance import paddleclas
from benchmarks.conformance.environments import REPOSITORY, python_of, run_inside
from benchmarks.conformance.paddleclas_exports import GAINS
from benchmarks.conformance.seeded import fill

Array = npt.NDArray[Any]

OUTPUT = REPOSITORY / "output" / "conformance" / "paddlex_parity"
PADDLEX = "3.7.2"
# What it imports for image features. Its own list also pins versions that ours differ from.
MODULES = [
    *("aistudio-sdk", "chardet", "colorlog", "filelock", "huggingface-hub", "modelscope"),
    *("opencv-contrib-python", "pandas", "pillow", "prettytable", "py-cpuinfo", "pydantic"),
    *("pypdfium2", "pyyaml", "requests", "ruamel.yaml", "ujson"),
]
# The last Paddle that writes inference.pdmodel, and what goes with it.
PADDLE_2 = [
    *("paddlepaddle==2.6.2", "numpy<2", "opencv-python-headless<5", "setuptools"),
    *("annotated-types", "pyyaml", "requests", "scikit-learn", "six", "tqdm"),
]
CLIP = "PP-ShiTuV2_rec_CLIP_vit_base"
LOWEST_COSINE = 1 - 1e-6
BATCH_SIZE = 4


def main() -> int:
    """Makes what is missing, runs both sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model_dir", nargs="?", type=Path, help="folder of an exported model")
    parser.add_argument("images", nargs="*", type=Path, help="pictures to compare on")
    arguments = parser.parse_args()
    images = arguments.images or draw_images(OUTPUT / "images")
    if arguments.model_dir is not None:
        models = {str(arguments.model_dir): arguments.model_dir}
    else:
        models = {
            **{f"{name}, our export": our_export(name) for name in ("PP-ShiTuV2_rec", CLIP)},
            **paddleclas_exports(),
        }
    theirs = paddlex_features(list(models.values()), images)
    failures = sum(
        compare(label, folder, images, feature)
        for (label, folder), feature in zip(models.items(), theirs, strict=True)
    )
    print(f"{len(models)} models, {failures} with a cosine below 1 - 1e-6")
    return 1 if failures else 0


def compare(label: str, folder: Path, images: Sequence[Path], theirs: Array) -> bool:
    """Prints the lines of a model, and returns whether it differs."""
    from toolkit import create_model

    model = create_model(folder, device="cpu", resize="bilinear")
    ours = [
        np.stack([result["feature"] for result in model.predict(list(images), batch_size=size)])
        for size in (1, BATCH_SIZE)
    ]
    cosines = np.stack([(theirs * feature).sum(axis=1) for feature in ours], axis=1)
    print(f"\n{label}, {theirs.shape[1]} values, PaddleX {PADDLEX} beside this toolkit")
    width = max(len(image.name) for image in images)
    print(f"{'image':<{width}}  one by one  in batches of {BATCH_SIZE}")
    for image, (single, batch) in zip(images, cosines, strict=True):
        print(f"{image.name:<{width}}  {single:.8f}  {batch:.8f}")
    # The comparison means something only where the network tells the pictures apart.
    others = (theirs @ theirs.T)[~np.eye(len(theirs), dtype=bool)]
    print(f"two different images: {others.min(initial=1):.8f} to {others.max(initial=-1):.8f}")
    lowest = float(cosines.min())
    same = lowest >= LOWEST_COSINE
    print(f"lowest cosine {lowest:.8f}: {'the same' if same else 'DIFFERENT'}", flush=True)
    return not same


def environment() -> Path:
    """Returns the interpreter of PaddleX's environment; it is made when it is not there."""
    return python_of(
        "paddlex",
        ["paddlepaddle>=3.0,<4", *MODULES],
        without_their_pins=[f"paddlex=={PADDLEX}"],
    )


def paddlex_features(models: Sequence[Path], images: Sequence[Path]) -> list[Array]:
    """Returns PaddleX's features [images, values] of each model."""
    python = environment()
    os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"
    result = OUTPUT / "paddlex.npz"
    arguments = [str(result), "--models", *map(str, models), "--images", *map(str, images)]
    _run(python, "benchmarks.conformance.paddlex_features", arguments)
    with np.load(result) as features:
        return [features[str(number)] for number in range(len(models))]


def paddleclas_exports() -> dict[str, Path]:
    """Writes what PaddleClas's networks give, and returns label -> folder."""
    exports = {}
    writers = [("inference.json", paddleclas.environment)]
    if sys.version_info < (3, 13):
        writers.append(("inference.pdmodel", _paddle_2))
    else:
        print("Paddle 2 has no wheel for this Python; inference.pdmodel is left out")
    for graph, environment in writers:
        python = environment()
        for name in ("PP-ShiTuV2_rec", CLIP):
            folder = _empty(OUTPUT / f"{name}_{Path(graph).suffix[1:]}")
            _run(python, "benchmarks.conformance.paddleclas_exports", [name, str(folder)])
            if not (folder / graph).is_file():
                raise SystemExit(f"PaddleClas wrote no {graph} into {folder}.")
            exports[f"{name}, PaddleClas's export, {graph}"] = folder
    return exports


def _paddle_2() -> Path:
    return python_of(
        "paddle2",
        PADDLE_2,
        without_their_pins=[f"paddleclas=={paddleclas.VERSION}"],
        constrained=False,
    )


def our_export(name: str) -> Path:
    """Exports a model with random weights, with the transforms of its card's recipe."""
    from toolkit.build.embedding import build_exporter
    from toolkit.build.model import build_recognizer
    from toolkit.config.load import load_config

    config = load_config(REPOSITORY / "configs" / "general_recognition" / f"{name}.yaml")
    network = build_recognizer(config.Arch, num_classes=None)
    fill(network, GAINS[name])
    folder = _empty(OUTPUT / f"{name}_ours")
    build_exporter(config, network)(folder)
    return folder


def draw_images(folder: Path) -> list[Path]:
    """Draws pictures of several sizes and formats: soft blobs, so that resizing matters little."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    kinds = [
        ("small.png", (60, 90), "RGB"),
        ("wide.jpg", (200, 900), "RGB"),
        ("tall.jpg", (1200, 300), "RGB"),
        ("exact.bmp", (224, 224), "RGB"),
        ("grey.png", (300, 300), "L"),
        ("large.webp", (1500, 2000), "RGB"),
    ]
    for name, (height, width), mode in kinds:
        blobs = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        picture = blobs.resize((width, height), Image.Resampling.BICUBIC).convert(mode)
        picture.save(folder / name)
    return [folder / name for name, _, _ in kinds]


def _empty(folder: Path) -> Path:
    """Makes a new folder: files of an earlier run would be taken for this one's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run(python: Path, module: str, arguments: Sequence[str]) -> None:
    if run_inside(python, module, arguments):
        raise SystemExit(f"{module} failed; its own message stands above.")


if __name__ == "__main__":
    raise SystemExit(main())
