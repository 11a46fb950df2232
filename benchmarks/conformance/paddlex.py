"""Opens an export with PaddleX 3.7.2 and with this toolkit, and compares the features.

    python -m benchmarks.conformance.paddlex [MODEL_DIR [IMAGE ...]] [--environment DIR]

Makes a virtual environment of its own in DIR (default: output/paddlex_parity/environment) with
PaddleX, runs ``paddlex.create_model(name, model_dir).predict`` there and the toolkit's here, and
prints a line an image: the cosine of PaddleX's feature with ours, one by one and in a batch. It
exits with 1 when one is below 1 - 1e-5.

Without IMAGE it draws some, of every kind that both can read; without MODEL_DIR it exports a
PP-ShiTuV2_rec with random weights, which is as good for a comparison as trained ones.
"""

import argparse
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = REPOSITORY / "output" / "paddlex_parity"
PADDLEX = "3.7.2"
# PaddleX says what else it wants when a predictor is made; for image features it is these.
MODULES = ["opencv-contrib-python", "pypdfium2"]
LOWEST_COSINE = 1 - 1e-5
BATCH_SIZE = 4


def main() -> int:
    """Makes what is missing, runs both sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model_dir", nargs="?", type=Path, help="folder of an exported model")
    parser.add_argument("images", nargs="*", type=Path, help="pictures to compare on")
    parser.add_argument("--environment", type=Path, help="folder of the virtual environment")
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return run_paddlex(arguments.inside, arguments.model_dir, arguments.images)
    model_dir = arguments.model_dir or export_random(OUTPUT / "model")
    images = arguments.images or draw_images(OUTPUT / "images")
    return compare(model_dir, images, arguments.environment or OUTPUT / "environment")


def compare(model_dir: Path, images: Sequence[Path], environment: Path) -> int:
    """Prints the table and returns the exit code."""
    sys.path.insert(0, str(REPOSITORY))
    import paddle

    from toolkit import create_model

    model = create_model(model_dir, device="cpu")
    ours = [
        np.stack([result["feature"] for result in model.predict(list(images), batch_size=size)])
        for size in (1, BATCH_SIZE)
    ]
    python = python_of(environment, paddle.version.full_version)
    command = [str(python), "-W", "ignore", __file__, "--inside", model.model_name]
    quiet = os.environ | {"PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    subprocess.run([*command, str(model_dir), *map(str, images)], env=quiet, check=True)
    theirs = np.load(OUTPUT / "paddlex.npy")
    cosines = np.stack([(theirs * feature).sum(axis=1) for feature in ours], axis=1)
    width = max(len(image.name) for image in images)
    print(f"{model.model_name}, {theirs.shape[1]} values, PaddleX {PADDLEX} beside this toolkit")
    print(f"{'image':<{width}}  one by one  in batches of {BATCH_SIZE}")
    for image, (single, batch) in zip(images, cosines, strict=True):
        print(f"{image.name:<{width}}  {single:.8f}  {batch:.8f}")
    # The comparison means something only where the network tells the pictures apart.
    others = (theirs @ theirs.T)[~np.eye(len(theirs), dtype=bool)]
    print(f"two different images: {others.min(initial=1):.8f} to {others.max(initial=-1):.8f}")
    lowest = float(cosines.min())
    passed = lowest >= LOWEST_COSINE
    print(f"lowest cosine {lowest:.8f}: {'the same' if passed else 'DIFFERENT'}")
    return 0 if passed else 1


def run_paddlex(model_name: str, model_dir: Path, images: Sequence[Path]) -> int:
    """Computes PaddleX's features, in its environment, and stores them for `compare`."""
    import paddlex

    model = paddlex.create_model(model_name, model_dir=str(model_dir), device="cpu")
    # One by one: since 3.5 a result's feature is the matrix of its whole batch.
    results = [next(iter(model.predict(str(image), batch_size=1))) for image in images]
    features = [np.asarray(result["feature"], dtype=np.float64).reshape(-1) for result in results]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    np.save(OUTPUT / "paddlex.npy", np.stack(features))
    return 0


def export_random(folder: Path) -> Path:
    """Exports PP-ShiTuV2_rec with random weights and batch norms that have seen something."""
    sys.path.insert(0, str(REPOSITORY))
    import paddle

    from toolkit.data.transforms.geometry import ResizeImage
    from toolkit.data.transforms.pipeline import Pipeline
    from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage
    from toolkit.inference.export import export_inference
    from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
    from toolkit.models.necks import BNNeck
    from toolkit.models.recognizer import Recognizer

    paddle.seed(0)
    network = Recognizer(PPLCNetV2(class_expand=512, retrieval=True), BNNeck(512))
    network.train()
    rng = np.random.default_rng(0)
    for _ in range(8):
        images = rng.standard_normal((4, 3, 224, 224), dtype=np.float32)
        network.embed(paddle.to_tensor(images * rng.uniform(0.5, 2) + rng.uniform(-1, 1)))
    pipeline = Pipeline([ResizeImage(224), NormalizeImage(), ToCHWImage()])
    export_inference(
        network,
        folder,
        model_name="PP-ShiTuV2_rec",
        image_size=(224, 224),
        transform_ops=pipeline.describe(),
    )
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


def python_of(environment: Path, paddle_version: str) -> Path:
    """Returns the interpreter of a virtual environment, made and filled when it is not there."""
    folder = "Scripts" if os.name == "nt" else "bin"
    python = environment / folder / ("python.exe" if os.name == "nt" else "python")
    finished = environment / "installed"
    if not finished.exists():
        venv.create(environment, with_pip=True)
        wanted = [f"paddlex=={PADDLEX}", f"paddlepaddle=={paddle_version}", *MODULES]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
        finished.touch()
    return python


if __name__ == "__main__":
    raise SystemExit(main())
