"""PaddleClas's recipes at full size, as a person runs them: main.py, one step, then the result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILES = Path(__file__).parents[1] / "config/paddleclas_files"
# What a person with a few pictures and no network says; the class head would have 190,000 rows.
COMMON = [
    "Global.epochs=1",
    "DataLoader.Train.sampler.batch_size=8",
    "Train.max_steps=1",
    "Data.num_workers=0",
    "Metric.bootstrap_samples=0",
]
RECIPES = {
    "GeneralRecognitionV2_PPLCNetV2_base": [
        "Arch.Backbone.pretrained=False",
        "Arch.Head.class_num=20",
    ],
    "GeneralRecognition_PPLCNet_x2_5": ["Arch.Backbone.pretrained=False", "Arch.Head.class_num=20"],
    "GeneralRecognition_PPLCNet_x2_5_dml": [
        f"Arch.models.{number}.{name}.{key}"
        for number, name in enumerate(("Teacher", "Student"))
        for key in ("Backbone.pretrained=False", "Head.class_num=20")
    ],
}


def run_main(repository: Path, file: Path, mode: str, *overrides: str) -> str:
    options = [part for o in (f"Global.mode={mode}", *COMMON, *overrides) for part in ("-o", o)]
    done = subprocess.run(
        [sys.executable, str(repository / "main.py"), "-c", str(file), *options],
        capture_output=True, text=True, check=False, cwd=file.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_is_evaluated_exported_and_predicts(
    recipe: str, repository: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    text = (FILES / f"{recipe}.yaml").read_text(encoding="utf-8")
    text = text.replace("DATASET", str(drawn_dataset)).replace("OUTPUT", str(tmp_path / "out"))
    file = tmp_path / "theirs.yaml"
    file.write_text(text, encoding="utf-8")
    changed = RECIPES[recipe]
    assert "Best: epoch 1" in run_main(repository, file, "train", *changed)
    assert "12 queries against 12 gallery pictures" in run_main(
        repository, file, "evaluate", *changed
    )
    run_main(repository, file, "export", *changed)
    exported = json.loads((tmp_path / "out/inference/export_result.json").read_text("utf-8"))
    assert exported["dimension"] == 512
    assert exported["lowest_cosine"] > 0.99999
    run_main(repository, file, "predict", *changed, f"Predict.input={drawn_dataset}/images/0_0.png")
