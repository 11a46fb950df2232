"""Several processes: the same bytes as one, also when they are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.extraction.conftest import MODEL
from toolkit.config.extract_section import ExtractSection
from toolkit.errors import ConfigError, ExtractionError
from toolkit.extraction.records import Piece
from toolkit.extraction.waiting import MOST_TRIES, Waiting
from toolkit.tasks.extract import extract

FORMATS = ["features.txt", "f.npy", "f.parquet", "f.jsonl", "f.pkl"]
SCRIPT = """
import sys
from pathlib import Path
from toolkit.build.extraction import model_to_open
from toolkit.build.model_to_open import ModelSource
from toolkit.config.extract_section import ExtractSection
from toolkit.tasks.extract import extract
if __name__ == "__main__":
    source, output, workers = sys.argv[1:]
    section = ExtractSection(input=source, output=output, num_worker=int(workers), batch_size=4,
                             shard_size=4)
    source = ModelSource(lambda: Path({model!r}), {model!r}, "cpu")
    extract(section, model_to_open(section, source), "cpu")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "run_it.py"
    file.write_text(SCRIPT.replace("{model!r}", repr(str(MODEL))), encoding="utf-8")
    return file


def start(script: Path, source: Path, output: Path, workers: int) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, str(script), str(source), str(output), str(workers)],
        env=environment, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_three_workers_write_the_bytes_of_one(run_extract, listed, tmp_path, name):
    run_extract(listed, f"one_{name}")
    report = run_extract(listed, f"three_{name}", num_worker=3, shard_size=4)
    assert (report.computed, report.failed) == (21, 3)
    assert (tmp_path / f"three_{name}").read_bytes() == (tmp_path / f"one_{name}").read_bytes()


@pytest.mark.slow
def test_paddle_too_and_features_as_the_network_gives_them(run_extract, listed, tmp_path):
    keys = {"l2_normalise": False, "batch_size": 3}
    run_extract(listed, "one.npy", shard_size=1, **keys)
    run_extract(listed, "two.npy", shard_size=9, num_worker=2, **keys)
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()
    raw = np.load(tmp_path / "one.npy")
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.nanmax(np.abs(lengths - 1)) > 0.1
    run_extract(listed, "unit.npy", engine="paddle", batch_size=3)
    np.testing.assert_allclose(np.load(tmp_path / "unit.npy"), raw / lengths, atol=1e-6)
    assert run_extract(listed, "unit.npy", batch_size=3).merged.length == raw.shape[1]


@pytest.mark.slow
def test_twenty_kills_change_no_byte(run_extract, listed, tmp_path, script):
    """The whole process group is killed at random moments, workers in the middle of a shard too."""
    run_extract(listed, "whole.txt")
    rng, output = np.random.default_rng(0), tmp_path / "killed.txt"
    kills = 0
    while not output.is_file() or kills < 20:
        if output.is_file():
            output.unlink()  # done before twenty kills: once more from the beginning
        process = start(script, listed, output, workers=int(rng.integers(1, 4)))
        try:
            # A run takes some seconds, most of them before the first shard.
            _, said = process.communicate(timeout=rng.uniform(0.5, 6 if kills < 20 else 60))
            assert process.returncode == 0, said.decode()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
    assert output.read_bytes() == (tmp_path / "whole.txt").read_bytes()
    assert not list(tmp_path.glob("*.work"))


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_shard_only(run_extract, listed, tmp_path, monkeypatch):
    """The class kills its process over one picture, the first time that it sees it."""
    (tmp_path / "dying.py").write_text(
        "import os, signal\nfrom pathlib import Path\n"
        "class Dies:\n"
        "    def __init__(self, model_path, model_config=None): self.mark = Path(model_path)\n"
        "    def predict(self, pictures, batch_size):\n"
        "        if self.mark.with_name('always').exists() or not self.mark.exists():\n"
        "            self.mark.touch()\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return [p.mean(axis=(0, 1)) for p in pictures]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    keys = {"predictor": "dying:Dies", "model_dir": str(tmp_path / "mark"), "shard_size": 4}
    (tmp_path / "mark").touch()
    run_extract(listed, "whole.txt", **keys)
    (tmp_path / "mark").unlink()
    run_extract(listed, "again.txt", num_worker=2, **keys)
    assert (tmp_path / "again.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()
    (tmp_path / "always").touch()
    with pytest.raises(ExtractionError, match=r"died 3 times over shard \d.*killed by SIGKILL"):
        run_extract(listed, "never.txt", num_worker=2, **keys)


@pytest.mark.slow
def test_what_a_worker_says_is_raised_here(run_extract, listed, tmp_path, monkeypatch):
    (tmp_path / "closed.py").write_text(
        "class Closed:\n    def __init__(self, *a, **k): raise OSError('no weights')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match=r"closed:Closed cannot be opened.*no weights"):
        run_extract(listed, num_worker=2, predictor="closed:Closed", shard_size=4)


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(listed, tmp_path, script):
    text = script.read_text().replace('if __name__ == "__main__":', "if True:")
    script.write_text(text)
    process = start(script, listed, tmp_path / "x.txt", workers=2)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 1
    assert 'under: if __name__ == "__main__"' in said.decode()


def test_a_shard_that_kills_is_tried_three_times() -> None:
    waiting = Waiting([Piece(0, 0, 5, 0), Piece(1, 5, 5, 9)])
    first = waiting.next()
    for _ in range(MOST_TRIES - 1):
        waiting.died(first, "killed")
        assert waiting.next() == first
    with pytest.raises(ExtractionError, match=r"3 times over shard 0 \(rows 1 to 5\): killed"):
        waiting.died(first, "killed")
    assert waiting.next() == Piece(1, 5, 5, 9)
    assert waiting.next() is None


def test_no_input_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"Extract.input is null"):
        extract(ExtractSection(), lambda: MODEL, "cpu")
