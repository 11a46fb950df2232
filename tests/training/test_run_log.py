"""metrics.jsonl: rows, half written lines, resuming, and VisualDL."""

import json
import math
import sys
import types

import pytest
from tiny_training import make_learner, make_loader

from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Position, StepRecord
from toolkit.training.run_log import RunLog, read_rows


def record(step, loss=1.0, parts=None):
    parts = {"CELoss": 1.0} if parts is None else parts
    return StepRecord(Position(1, step, step), 1, 0.1, loss, parts, 8, ["a: bad"], 2.0, 0.5)


def test_rows(tmp_path):
    log = RunLog(tmp_path / "run" / "metrics.jsonl")
    log.on_step(record(1))
    log.on_step(record(2, None, {}))
    log.on_evaluation(1, 2, {"recall1": math.nan})
    assert read_rows(tmp_path / "run" / "metrics.jsonl") == [
        {
            "kind": "step",
            "epoch": 1,
            "step": 1,
            "learning_rate": 0.1,
            "loss": 1.0,
            "losses": {"CELoss": 1.0},
            "images": 8,
            "images_per_second": 4.0,
            "reader_share": 0.25,
            "skipped": 1,
        },
        {
            "kind": "step",
            "epoch": 1,
            "step": 2,
            "learning_rate": 0.1,
            "loss": None,
            "losses": {},
            "images": 8,
            "images_per_second": 4.0,
            "reader_share": 0.25,
            "skipped": 1,
        },
        {"kind": "evaluation", "epoch": 1, "step": 2, "metrics": {"recall1": None}},
    ]


def test_every_update_of_a_run_has_a_row(tmp_path):
    log = RunLog(tmp_path / "metrics.jsonl")
    fit(make_learner(), make_loader(), TrainingPlan(epochs=2), listeners=[log])
    rows = read_rows(tmp_path / "metrics.jsonl")
    assert [(row["epoch"], row["step"]) for row in rows] == [
        (1 + step // 6, step + 1) for step in range(12)
    ]


def test_a_new_run_replaces_the_log(tmp_path):
    file = tmp_path / "metrics.jsonl"
    RunLog(file).on_step(record(1))
    RunLog(file)
    assert file.read_text() == ""


def test_resuming_cuts_what_will_be_written_again(tmp_path):
    file = tmp_path / "metrics.jsonl"
    log = RunLog(file)
    for step in range(1, 6):
        log.on_step(record(step))
    log.on_evaluation(1, 3, {"recall1": 0.5})
    log.on_evaluation(2, 5, {"recall1": 0.6})
    with file.open("a") as stream:
        stream.write('{"kind": "step", "step": 6, "lo')  # killed while writing
    log = RunLog(file, resumed_step=3)
    log.on_step(record(4))
    assert [(row["kind"], row["step"]) for row in read_rows(file)] == [
        ("step", 1),
        ("step", 2),
        ("step", 3),
        ("evaluation", 3),
        ("step", 4),
    ]
    assert all(json.loads(line) for line in file.read_text().splitlines())


def test_resuming_without_a_log(tmp_path):
    log = RunLog(tmp_path / "metrics.jsonl", resumed_step=3)
    log.on_step(record(4))
    assert [row["step"] for row in read_rows(tmp_path / "metrics.jsonl")] == [4]
    assert read_rows(tmp_path / "nothing.jsonl") == []


def test_lines_that_are_no_rows_are_left_out(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b'[1]\n{"a": 1}\nnonsense\n\xff\xfe\n{"kind": "step", "step": 1}\n')
    assert read_rows(file) == [{"kind": "step", "step": 1}]


@pytest.fixture
def visualdl(monkeypatch):
    written = []

    class LogWriter:
        def __init__(self, logdir):
            written.append(logdir)

        def add_scalar(self, tag, value, step):
            written.append((tag, value, step))

        def close(self):
            written.append("closed")

    module = types.ModuleType("visualdl")
    module.LogWriter = LogWriter
    module.__spec__ = types.SimpleNamespace(name="visualdl")
    monkeypatch.setitem(sys.modules, "visualdl", module)
    return written


def test_visualdl_gets_the_scalars(tmp_path, visualdl):
    log = RunLog(tmp_path / "metrics.jsonl", visualdl=tmp_path / "records")
    log.on_step(record(1))
    log.on_step(record(2, None, {}))
    log.on_evaluation(1, 2, {"recall1": 0.5})
    log.close()
    assert visualdl == [
        str(tmp_path / "records"),
        ("train/learning_rate", 0.1, 1),
        ("train/loss", 1.0, 1),
        ("train/CELoss", 1.0, 1),
        ("train/learning_rate", 0.1, 2),
        ("evaluation/recall1", 0.5, 2),
        "closed",
    ]


def test_visualdl_that_is_not_installed_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.training.run_log.find_spec", lambda _: None)
    log = RunLog(tmp_path / "metrics.jsonl", visualdl=tmp_path / "records")
    log.on_step(record(1))
    log.close()
    assert not (tmp_path / "records").exists()
