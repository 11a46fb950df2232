"""Predicting with an ONNX engine, in a process where importing Paddle fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toolkit.inference.export import ExportReport

# Written out, so that nothing of the test's own process is in it.
BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("paddle", "paddle2onnx", "onnx"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name.split(".")[0])

sys.meta_path.insert(0, Block())
"""
OPEN = """
import json
from toolkit import create_model
from toolkit.errors import ExtraError

folder, picture, engine = sys.argv[1:]
(result,) = create_model(folder or None, engine=engine or None).predict(picture)
heavy = sorted(
    name
    for name in ("paddle", "onnx", "pydantic", "rich", "faiss", "matplotlib")
    if name in sys.modules
)
try:
    create_model(folder or None, engine="paddle")
except ExtraError as error:
    said = str(error)
print(json.dumps([len(result["feature"]), heavy, said]))
"""
MAIN = """
from toolkit.interfaces.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCK + script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("engine", ["", "onnxruntime", "openvino"])
def test_a_folder_is_opened_without_paddle_and_what_is_slow_to_import(
    engine: str, exported: ExportReport, pictures: list[Path]
) -> None:
    done = _run(OPEN, str(exported.directory), str(pictures[0]), engine)
    assert done.returncode == 0, done.stderr
    dimension, heavy, said = json.loads(done.stdout)
    assert dimension == exported.dimension
    assert heavy == []
    assert "image-retrieval-toolkit[cpu]" in said


def test_so_is_the_model_of_the_package(pictures: list[Path]) -> None:
    done = _run(OPEN, "", str(pictures[0]), "")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == 256


def test_so_is_predict(
    exported: ExportReport, drawn_dataset: Path, tiny_config: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    document = yaml.safe_load(tiny_config.format(dataset=drawn_dataset, output=tmp_path / "out"))
    document["Global"] |= {"mode": "predict", "model": "Tiny_rec"}
    document["Predict"] = {
        "model_dir": str(exported.directory),
        "input": str(drawn_dataset / "images"),
    }
    config.write_text(yaml.safe_dump(document))
    done = _run(MAIN, "-c", str(config))
    assert done.returncode == 0, done.stderr
    assert "Engine: onnxruntime." in done.stderr
    result = json.loads((tmp_path / "out" / "predict_result.json").read_text())
    assert result["features"] == len(list((drawn_dataset / "images").iterdir()))
