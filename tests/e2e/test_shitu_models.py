"""The configurations of PP-ShiTu's models through main.py: train, evaluate, export, predict.

On pictures of 64 pixels, for one step: whether every part of a configuration fits the next.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CONFIGS = "configs/general_recognition"
SMALL = "{size: 64, interpolation: bicubic}"
STEPS = "NormalizeImage: {}, ToCHWImage: {}"


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """A folder that is emptied at the end: the checkpoints of one run are gigabytes."""
    yield tmp_path / "output"
    shutil.rmtree(tmp_path / "output", ignore_errors=True)


def run_main(repository: Path, model: str, mode: str, output: Path, *overrides: str) -> str:
    given = [f"Global.mode={mode}", f"Global.output={output}", "Global.device=cpu", *overrides]
    done = subprocess.run(
        [
            sys.executable,
            "main.py",
            "-c",
            f"{CONFIGS}/{model}.yaml",
            *(part for override in given for part in ("-o", override)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "model", ["PP-ShiTuV1_rec", "PP-ShiTuV2_rec", "PP-ShiTuV2_rec_CLIP_vit_base"]
)
def test_a_configuration_goes_all_the_way(
    model: str, repository: Path, drawn_dataset: Path, output: Path
) -> None:
    same = (
        f"Global.dataset_dir={drawn_dataset}",
        f"Data.train_transforms=[ResizeImage: {SMALL}, {STEPS}]",
        f"Data.eval_transforms=[ResizeImage: {SMALL}, {STEPS}]",
        "Data.num_workers=0",
        "Train.batch_size=8",
        "Train.epochs_iters=1",
        "Train.warmup_steps=0",
        "Train.max_steps=1",
    )
    run_main(repository, model, "train", output, *same)
    run_main(repository, model, "evaluate", output, *same)
    metrics = json.loads((output / "evaluate_result.json").read_text(encoding="utf-8"))["metrics"]
    assert 0 <= metrics["recall1"] <= metrics["recall5"] <= 1
    run_main(repository, model, "export", output, *same)
    picture = drawn_dataset / "images/0_0.png"
    predict = (f"Predict.input={picture}", f"Predict.model_dir={output}")
    run_main(repository, model, "predict", output, *same, *predict)
    result = json.loads((output / "0_0_res.json").read_text(encoding="utf-8"))
    assert np.linalg.norm(result["feature"]) == pytest.approx(1, abs=1e-5)
    assert len(result["feature"]) == 512


def test_clip_vit_large_is_exported_and_predicts(
    repository: Path, drawn_dataset: Path, output: Path
) -> None:
    """Without training: its checkpoints alone are 5 GB."""
    from toolkit import create_model
    from toolkit.build.embedding import build_exporter
    from toolkit.build.model import build_recognizer
    from toolkit.config.load import load_config

    model = "PP-ShiTuV2_rec_CLIP_vit_large"
    config = load_config(repository / CONFIGS / f"{model}.yaml")
    report = build_exporter(config, build_recognizer(config.Arch, num_classes=None))(output)
    assert (report.dimension, report.image_size) == (512, (224, 224))
    opened = create_model(model, model_dir=output, device="cpu")
    (result,) = opened.predict(drawn_dataset / "images/0_0.png")
    assert np.linalg.norm(result["feature"]) == pytest.approx(1, abs=1e-5)
