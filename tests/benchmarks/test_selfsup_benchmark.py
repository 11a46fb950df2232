"""The benchmark of training without labels goes on after an interruption."""

import json
import subprocess

import pytest

from benchmarks import selfsup


@pytest.fixture
def runs(monkeypatch):
    """Records the trainings that would be run; each leaves a result."""
    done = []

    def run(command, **_):
        (output,) = [part[14:] for part in command if part.startswith("Global.output=")]
        done.append(command)
        if "Train.epochs_iters=13" in command:
            raise subprocess.CalledProcessError(130, command)
        selfsup.Path(output).mkdir(parents=True, exist_ok=True)
        result = {"best_metrics": {"recall1": 0.25 + len(done)}}
        (selfsup.Path(output) / "train_result.json").write_text(json.dumps(result))

    monkeypatch.setattr(selfsup.subprocess, "run", run)
    return done


def test_what_came_to_its_end_is_not_run_again_unless_something_changed(runs, tmp_path):
    def train(epochs):
        settings = [f"Train.epochs_iters={epochs}"]
        return selfsup._train(selfsup.CONFIG, 0, tmp_path / "seed", settings)

    assert train(1) == train(1) == 1.25
    assert len(runs) == 1
    assert train(2) == 2.25
    with pytest.raises(subprocess.CalledProcessError):
        train(13)
    # What was begun and not ended leaves nothing that could stand for it.
    assert train(2) == 4.25
    assert len(runs) == 4
