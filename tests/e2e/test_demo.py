"""make demo with a network that hardly learns: every step runs; its last line opens a search."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("paddle")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")

from tests.e2e.served import ROOT, Served, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _demo(output: Path) -> list[str]:
    """Runs the demo, and returns what it prints."""
    small = ("Train.epochs_iters=1", "Train.warmup_steps=0", "Train.max_steps=2")
    command = [sys.executable, "dataset_tools/run_demo.py", "--output", str(output)]
    for override in (*small, "Evaluate.baselines=[]"):
        command += ["-o", override]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.splitlines()


def test_the_demo_ends_with_a_search_and_the_command_that_serves_it(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    # What an earlier run left, of another network.
    for left in ("index", "databases/default/packages"):
        (output / left).mkdir(parents=True)
        (output / left / "index.json").write_text("{}", encoding="utf-8")
    printed = _demo(output)
    for line in printed[printed.index("Look at:") + 1 : -2]:
        assert Path(line.strip()).exists(), line
    python, *words = shlex.split(printed[-1])
    assert python == "python"
    server = Served(tmp_path, tmp_path / "served", words=words)
    try:
        (database,) = server.ask("/v1/databases", token="")[1]["databases"]
        rows = (output / "dataset" / "gallery.txt").read_text(encoding="utf-8").splitlines()
        assert (database["name"], database["count"]) == ("packages", len(rows))
        path, label = rows[7].split()
        picture = as_text((output / "dataset" / path).read_bytes())
        body = json.dumps({"image": picture, "k": 1}).encode()
        status, answer = server.ask(
            "/v1/databases/packages/search", body, **{"Content-Type": "application/json"}
        )
        (nearest,) = answer["neighbours"]
        assert (status, nearest["group_id"]) == (200, label)
        assert nearest["similarity"] == pytest.approx(1, abs=1e-4)
        assert nearest["data"]["path"] == path
    finally:
        server.kill()
