"""Trackers beside the real libraries: what they write is read back by the library itself.

Each test is skipped, visibly, where its library is not installed.
"""

import struct

import pytest

from toolkit.errors import ExtraError
from toolkit.registry import TRACKERS
from toolkit.reports.run_rows import FILE_NAME
from toolkit.training.learner import Position, StepRecord
from toolkit.training.run_log import RunLog
from toolkit.training.trackers.tracker import IDS_FILE, TrackedRun

pytestmark = pytest.mark.filterwarnings(
    # Of MLflow's own use of SQLAlchemy 2.1, and of what these libraries stand on.
    "ignore::DeprecationWarning",
    "ignore:The ``noload`` loader strategy",
    "ignore::ResourceWarning",
)
SETTINGS = {"Train.epochs_iters": 3, "Loss": "CELoss", "Train.resume_path": None}


def track(name, output, steps, *, resumed_step=None, finished=True, **options):
    """Writes the log of some updates, whose loss is their number, through one tracker."""
    run = TrackedRun(output, "Tiny_rec", SETTINGS, resumed_step)
    tracker = TRACKERS.build(name, run=run, **options)
    log = RunLog(output / FILE_NAME, resumed_step=resumed_step, trackers=[tracker])
    for step in steps:
        position = Position(1, step, step)
        log.on_step(StepRecord(position, 1, 0.5, float(step), {"CELoss": 2.0}, 8, [], 2.0, 0.5))
    log.on_evaluation(1, steps[-1], {"recall1": 0.75})
    log.close(finished=finished)


def interrupt_and_go_on(name, output, **options):
    """Five updates and a kill after a checkpoint at the third; then up to the seventh."""
    track(name, output, range(1, 6), finished=False, **options)
    track(name, output, range(4, 8), resumed_step=3, **options)


@pytest.mark.parametrize("name", TRACKERS.names())
def test_a_library_that_is_not_there_is_named_with_its_extra(name, monkeypatch, tmp_path):
    package = TRACKERS.get(name).package
    monkeypatch.setitem(__import__("sys").modules, package, None)
    if name == "tensorboard":  # its parts may be loaded already
        for part in [m for m in __import__("sys").modules if m.startswith("tensorboard.")]:
            monkeypatch.delitem(__import__("sys").modules, part)
    with pytest.raises(ExtraError, match=rf"\[{name}\]"):
        TRACKERS.build(name, run=TrackedRun(tmp_path, "Tiny_rec", {}))


class TestVisualDL:
    def read(self, folder):
        (file,) = folder.glob("vdlrecords.*.log")
        reader = pytest.importorskip("visualdl").LogReader(file_path=str(file))
        return {
            tag: [(record.id, record.value) for record in reader.get_data("scalar", tag)]
            for tag in ("train/loss", "evaluation/recall1")
        }

    def test_scalars(self, tmp_path):
        pytest.importorskip("visualdl")
        track("visualdl", tmp_path, [1, 2])
        assert self.read(tmp_path) == {
            "train/loss": [(1, 1.0), (2, 2.0)],
            "evaluation/recall1": [(2, 0.75)],
        }

    def test_a_run_that_goes_on_has_one_whole_file(self, tmp_path):
        pytest.importorskip("visualdl")
        interrupt_and_go_on("visualdl", tmp_path)
        assert self.read(tmp_path)["train/loss"] == [(step, step) for step in range(1, 8)]


class TestTensorBoard:
    def read(self, folder):
        events = pytest.importorskip(
            "tensorboard.backend.event_processing.event_accumulator"
        ).EventAccumulator(str(folder))
        events.Reload()
        return {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in ("train/loss", "evaluation/recall1")
        }

    def test_scalars(self, tmp_path):
        pytest.importorskip("tensorboard")
        track("tensorboard", tmp_path, [1, 2])
        assert self.read(tmp_path / "tensorboard") == {
            "train/loss": [(1, 1.0), (2, 2.0)],
            "evaluation/recall1": [(2, 0.75)],
        }

    def test_a_folder_of_its_own(self, tmp_path):
        pytest.importorskip("tensorboard")
        track("tensorboard", tmp_path, [1], folder=str(tmp_path / "elsewhere"))
        assert self.read(tmp_path / "elsewhere")["train/loss"] == [(1, 1.0)]

    def test_a_run_that_goes_on_doubles_no_step(self, tmp_path):
        pytest.importorskip("tensorboard")
        interrupt_and_go_on("tensorboard", tmp_path)
        found = self.read(tmp_path / "tensorboard")
        assert sorted(found["train/loss"]) == [(step, step) for step in range(1, 8)]


def wandb_rows(file):
    """History of a ``.wandb`` file: records of W&B's own schema in a LevelDB log.

    Source of the framing: https://github.com/google/leveldb/blob/main/doc/log_format.md; W&B puts 7
    bytes before it.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole, rows, config = file.read_bytes(), 7, b"", [], {}
    assert data.startswith(b":W&B")
    while at + 7 <= len(data):
        _, size, kind = struct.unpack_from("<IHB", data, at)
        if kind == 0 or 32768 - at % 32768 < 7:  # padding at the end of a block
            at += 32768 - at % 32768
            continue
        whole, at = whole + data[at + 7 : at + 7 + size], at + 7 + size
        if kind in {1, 4}:  # a full record, or the last piece of one
            record, whole = Record.FromString(whole), b""
            items = {
                ".".join(item.nested_key) or item.key: item.value_json
                for item in record.history.item
            }
            rows += [items] if items else []
            config |= {item.key: item.value_json for item in record.run.config.update}
    return rows, config


class TestWandB:
    def test_a_run_without_a_network(self, tmp_path):
        wandb = pytest.importorskip("wandb")
        track("wandb", tmp_path, [1, 2], mode="offline", project="tests")
        wandb.teardown()  # its process writes the file to the end
        (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
        rows, config = wandb_rows(file)
        assert [(row["_step"], row["train/loss"]) for row in rows] == [("1", "1"), ("2", "2")]
        assert rows[1]["evaluation/recall1"] == "0.75"
        assert config["Train.epochs_iters"] == "3"

    def test_a_run_that_goes_on_keeps_its_id(self, tmp_path):
        pytest.importorskip("wandb")
        interrupt_and_go_on("wandb", tmp_path, mode="offline")
        names = {file.name for file in tmp_path.glob("wandb/offline-run-*/run-*.wandb")}
        assert len(names) == 1


class TestMLflow:
    def history(self, uri, tag="train/loss"):
        client = pytest.importorskip("mlflow").MlflowClient(tracking_uri=uri)
        (experiment,) = client.search_experiments(filter_string="name = 'tests'")
        (run,) = client.search_runs([experiment.experiment_id])
        metrics = client.get_metric_history(run.info.run_id, tag)
        return run, [(metric.step, metric.value) for metric in metrics]

    def options(self, tmp_path):
        pytest.importorskip("mlflow")
        pytest.importorskip("sqlalchemy")
        return {"uri": f"sqlite:///{tmp_path}/mlflow.db", "experiment": "tests"}

    def test_a_run_in_a_database(self, tmp_path):
        options = self.options(tmp_path)
        track("mlflow", tmp_path, range(1, 200), **options)
        run, losses = self.history(options["uri"])
        assert sorted(losses) == [(step, step) for step in range(1, 200)]
        assert run.data.metrics["evaluation/recall1"] == 0.75
        assert run.data.params == {key: str(value) for key, value in SETTINGS.items()}
        assert (run.info.status, run.info.run_name) == ("FINISHED", "Tiny_rec")

    def test_a_run_that_goes_on_doubles_no_step(self, tmp_path):
        options = self.options(tmp_path)
        interrupt_and_go_on("mlflow", tmp_path, **options)
        run, losses = self.history(options["uri"])
        assert sorted(losses) == [(step, step) for step in range(1, 8)]
        assert run.info.status == "FINISHED"

    def test_a_failed_run_is_marked_so(self, tmp_path):
        options = self.options(tmp_path)
        track("mlflow", tmp_path, [1], finished=False, **options)
        assert self.history(options["uri"])[0].info.status == "FAILED"


def test_ids_are_of_the_run_that_goes_on_and_of_no_other(tmp_path):
    TrackedRun(tmp_path, "a", {}).keep_id("wandb", "x1")
    TrackedRun(tmp_path, "a", {}).keep_id("mlflow", "m1")
    goes_on = TrackedRun(tmp_path, "a", {}, resumed_step=3)
    assert (goes_on.earlier_id("wandb"), goes_on.earlier_id("mlflow")) == ("x1", "m1")
    assert goes_on.earlier_id("other") is None
    assert TrackedRun(tmp_path, "a", {}).earlier_id("wandb") is None
    assert TrackedRun(tmp_path / "b", "a", {}, resumed_step=3).earlier_id("wandb") is None
    assert '"format": 1' in (tmp_path / IDS_FILE).read_text()
