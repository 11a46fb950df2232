"""main.py packs on a machine without Paddle, TensorFlow and their kin."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.data.packing.reading import packed_files, read_pictures

pytestmark = pytest.mark.e2e

# Importing any of these fails, as on a machine that does not have them.
WITHOUT = """
import sys
REFUSED = ("paddle", "tensorflow", "webdataset", "google.protobuf")
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(REFUSED):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from toolkit.interfaces.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def run_main(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(repository), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True, text=True, check=False, cwd=repository, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset"])
def test_pack_runs_without_paddle_and_tensorflow(
    repository: Path, drawn_dataset: Path, tmp_path: Path, kind: str
) -> None:
    done = run_main(
        repository, "-c", "configs/packing/grocery_tfrecord.yaml",
        "-o", f"Global.dataset_dir={drawn_dataset}", "-o", f"Global.output={tmp_path}",
        "-o", "Pack.output_tfrecord=null", "-o", f"Pack.format={kind}",
        "-o", "Pack.max_image_size=32",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Packed 32 pictures" in done.stdout
    assert json.loads((tmp_path / "pack_result.json").read_text())["done_flag"] is True
    sides = [
        {(picture.width, picture.height) for picture in read_pictures(files)}
        for files in (packed_files(tmp_path / "pack/data", split) for split in ("train", "test"))
    ]
    assert sides == [{(32, 32)}, {(32, 32)}]


def test_a_model_type_that_is_not_packed_is_exit_code_2(repository: Path, tmp_path: Path) -> None:
    done = run_main(
        repository, "-c", "configs/packing/grocery_tfrecord.yaml",
        "-o", f"Global.output={tmp_path}", "-o", "Pack.model_type=SEGMENTATION",
    )  # fmt: skip
    assert done.returncode == 2
    assert "SEGMENTATION is a model type of PAI that is not packed here" in done.stderr
    assert "Traceback" not in done.stderr
