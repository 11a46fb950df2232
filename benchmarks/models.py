"""Exports of PP-ShiTuV2_rec that both sides of the inference benchmark open.

    python -m benchmarks.models FOLDER CALIBRATION_LIST

Writes FOLDER/fp32 and, with the pictures of the list to calibrate on, FOLDER/int8, and prints in
words what the weights are: the checkpoint that configs/general_recognition/
grocery_PP-ShiTuV2_rec.yaml trains, when it is there, and otherwise seeded random values, which take
as long to multiply by. It runs in a process of its own, so that the one that measures holds no
framework.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.conformance.environments import REPOSITORY

NAME = "PP-ShiTuV2_rec"
CONFIG = REPOSITORY / "configs" / "general_recognition" / f"{NAME}.yaml"
CHECKPOINT = REPOSITORY / "output" / f"grocery_{NAME}" / "best_model" / "best_model.pdparams"


def exported_models(folder: Path, calibration_list: Path) -> str:
    """Writes both exports, in another process, and returns in words what their weights are."""
    program = ["-W", "ignore", "-m", "benchmarks.models", str(folder), str(calibration_list)]
    done = subprocess.run(
        [sys.executable, *program], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.splitlines()[-1]


def main() -> int:
    """Writes the exports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("calibration_list", type=Path)
    arguments = parser.parse_args()
    lines = arguments.calibration_list.read_text(encoding="utf-8").splitlines()
    weights = _export_fp32(arguments.folder / "fp32")
    _export_int8(arguments.folder, [Path(line) for line in lines])
    print(weights)
    return 0


def _export_fp32(folder: Path) -> str:
    from benchmarks.conformance.paddleclas_exports import GAINS
    from benchmarks.conformance.seeded import fill
    from toolkit.build.embedding import build_exporter
    from toolkit.build.model import build_recognizer, load_trained
    from toolkit.config.load import load_config
    from toolkit.runtime import prepare_paddle

    prepare_paddle()
    config = load_config(CONFIG)
    network = build_recognizer(config.Arch, num_classes=None)
    if CHECKPOINT.is_file():
        load_trained(network, CHECKPOINT)
        weights = "trained on grocery (configs/general_recognition/grocery_PP-ShiTuV2_rec.yaml)"
    else:
        fill(network, GAINS[NAME])
        weights = "seeded random values"
    build_exporter(config, network)(folder)
    return weights


def _export_int8(folder: Path, pictures: Sequence[Path]) -> None:
    from toolkit.data.decode import read_rgb
    from toolkit.inference.precision.lowering import lower_precision
    from toolkit.inference.preprocess import read_inference_config

    target = folder / "int8"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder / "fp32", target)
    steps = read_inference_config(target).pipeline.geometry()
    rng = np.random.default_rng(0)
    images = np.stack([steps(read_rgb(path), rng) for path in pictures]).astype(np.uint8)
    lower_precision(target, "int8", images)


if __name__ == "__main__":
    raise SystemExit(main())
