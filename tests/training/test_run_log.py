"""metrics.jsonl: rows, half written lines, resuming, and what trackers are told."""

import json
import math

import pytest
from tiny_training import make_learner, make_loader

from toolkit.reports.run_rows import read_rows
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import EpochRecord, Position, StepRecord
from toolkit.training.run_log import RunLog


def record(step, loss=1.0, parts=None):
    parts = {"CELoss": 1.0} if parts is None else parts
    return StepRecord(Position(1, step, step), 1, 0.1, loss, parts, 8, ["a: bad"], 2.0, 0.5)


def epoch(number, step, *, complete=True):
    return EpochRecord(number, Position(number + 1, 0, step), complete, False, 0.75, 24)


def test_rows(tmp_path):
    times = iter([100.0, 101.5, 102.0, 103.0004])
    log = RunLog(tmp_path / "run" / "metrics.jsonl", clock=lambda: next(times))
    log.on_step(record(1))
    log.on_step(record(2, None, {}))
    log.on_epoch_end(epoch(1, 2))
    log.on_epoch_end(epoch(2, 2, complete=False))
    log.on_evaluation(1, 2, {"recall1": math.nan})
    first = {
        "kind": "step",
        "epoch": 1,
        "step": 1,
        "time": 100.0,
        "learning_rate": 0.1,
        "loss": 1.0,
        "losses": {"CELoss": 1.0},
        "images": 8,
        "images_per_second": 4.0,
        "reader_share": 0.25,
        "skipped": 1,
    }
    assert read_rows(tmp_path / "run" / "metrics.jsonl") == [
        first,
        {**first, "step": 2, "time": 101.5, "loss": None, "losses": {}},
        {"kind": "epoch", "epoch": 1, "step": 2, "time": 102.0, "loss": 0.75, "images": 24},
        {
            "kind": "evaluation",
            "epoch": 1,
            "step": 2,
            "time": 103.0,
            "metrics": {"recall1": None},
        },
    ]


def test_every_update_and_every_epoch_of_a_run_has_a_row(tmp_path):
    log = RunLog(tmp_path / "metrics.jsonl")
    fit(make_learner(), make_loader(), TrainingPlan(epochs=2), listeners=[log])
    rows = read_rows(tmp_path / "metrics.jsonl")
    steps = [(row["epoch"], row["step"]) for row in rows if row["kind"] == "step"]
    assert steps == [(1 + step // 6, step + 1) for step in range(12)]
    ends = [(row["epoch"], row["step"]) for row in rows if row["kind"] == "epoch"]
    assert ends == [(1, 6), (2, 12)]


def test_a_new_run_replaces_the_log(tmp_path):
    file = tmp_path / "metrics.jsonl"
    RunLog(file).on_step(record(1))
    RunLog(file)
    assert file.read_text() == ""


def interrupted(file):
    """A log of a process that was killed in its sixth update, after a checkpoint at its third."""
    log = RunLog(file)
    for step in range(1, 6):
        log.on_step(record(step))
        if step == 3:
            log.on_epoch_end(epoch(1, 3))
            log.on_evaluation(1, 3, {"recall1": 0.5})
    log.on_evaluation(2, 5, {"recall1": 0.6})
    with file.open("a") as stream:
        stream.write('{"kind": "step", "step": 6, "lo')


def test_resuming_cuts_what_will_be_written_again(tmp_path):
    file = tmp_path / "metrics.jsonl"
    interrupted(file)
    log = RunLog(file, resumed_step=3)
    log.on_step(record(4))
    assert [(row["kind"], row["step"]) for row in read_rows(file)] == [
        ("step", 1),
        ("step", 2),
        ("step", 3),
        ("epoch", 3),
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


class Noted:
    """A tracker that remembers what it is told, and breaks at a step."""

    package = "json"

    def __init__(self, *, replays=False, breaks_at=None, breaks_in_the_end=False):
        self.replays, self.breaks_at = replays, breaks_at
        self.breaks_in_the_end = breaks_in_the_end
        self.told, self.tries, self.closed = [], 0, []

    def write(self, step, values, at):
        self.tries += 1
        if step == self.breaks_at:
            raise ConnectionError("the network is gone")
        self.told.append((step, values, at))

    def close(self, *, finished):
        self.closed.append(finished)
        if self.breaks_in_the_end:
            raise TimeoutError("nobody answers")


def test_trackers_get_the_finite_numbers(tmp_path):
    tracker = Noted()
    log = RunLog(tmp_path / "metrics.jsonl", trackers=[tracker], clock=lambda: 7.0)
    log.on_step(record(1))
    log.on_step(record(2, None, {}))
    log.on_epoch_end(epoch(1, 2))
    log.on_evaluation(1, 2, {"recall1": 0.5, "mAP": math.nan})
    log.close()
    rates = {
        "train/learning_rate": 0.1,
        "train/images_per_second": 4.0,
        "train/reader_share": 0.25,
    }
    assert tracker.told == [
        (1, {**rates, "train/loss": 1.0, "train/CELoss": 1.0}, 7.0),
        (2, rates, 7.0),
        (2, {"epoch/loss": 0.75}, 7.0),
        (2, {"evaluation/recall1": 0.5}, 7.0),
    ]
    assert tracker.closed == [True]


def test_a_tracker_that_fails_is_named_once_and_the_run_goes_on(tmp_path, caplog):
    broken, whole = Noted(breaks_at=2), Noted(breaks_in_the_end=True)
    log = RunLog(tmp_path / "metrics.jsonl", trackers=[broken, whole])
    fit(make_learner(), make_loader(), TrainingPlan(epochs=1), listeners=[log])
    log.close(finished=False)
    assert broken.tries == 2
    assert [step for step, *_ in whole.told] == [1, 2, 3, 4, 5, 6, 6]
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 2
    assert "Noted failed at step 2" in said[0]
    assert "the network is gone" in said[0]
    assert "nobody answers" in said[1]
    assert len(read_rows(tmp_path / "metrics.jsonl")) == 7
    assert broken.closed == []  # it is not asked again
    assert whole.closed == [False]


@pytest.mark.parametrize("replays", [True, False])
def test_a_run_that_goes_on_tells_what_was_before_to_those_who_need_it(tmp_path, replays):
    file = tmp_path / "metrics.jsonl"
    interrupted(file)
    tracker = Noted(replays=replays)
    log = RunLog(file, resumed_step=3, trackers=[tracker])
    log.on_step(record(4))
    assert [step for step, *_ in tracker.told] == ([1, 2, 3, 3, 3, 4] if replays else [4])
