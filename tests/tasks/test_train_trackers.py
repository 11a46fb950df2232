"""Train.trackers, from the configuration to what listens to a run."""

import pytest

from toolkit import run
from toolkit.build import tracking
from toolkit.errors import ConfigError, ExtraError
from toolkit.registry import TRACKERS
from toolkit.reports.run_rows import read_rows

TRAIN = ("Global.mode=train", "Train.skip_check=true", "Train.eval_during_train=false")


class Noted:
    """Stands for a tracker whose library is not installed here."""

    package, replays = "json", False
    made: list["Noted"] = []  # noqa: RUF012 - one test at a time

    def __init__(self, tracked, options):
        self.tracked, self.options, self.steps, self.closed = tracked, options, [], None
        if options.get("project") == "refused":
            raise PermissionError("no such account")
        Noted.made.append(self)

    def write(self, step, _values, _at):
        self.steps.append(step)

    def close(self, *, finished):
        self.closed = finished


@pytest.fixture
def noted(monkeypatch):
    Noted.made = []
    monkeypatch.setattr(TRACKERS, "get", lambda _: Noted)
    monkeypatch.setattr(
        TRACKERS, "build", lambda part, /, *, run, **options: Noted(run, {"part": part, **options})
    )
    return Noted.made


def test_trackers_get_the_run_its_settings_and_its_numbers(configure, noted, tmp_path):
    run(configure(*TRAIN, "Train.max_steps=2", "Train.trackers=[tensorboard, wandb: {name: x}]"))
    first, second = noted
    assert first.options == {"part": "tensorboard", "folder": None}
    assert second.options["name"] == "x"
    assert first.tracked.folder == tmp_path / "output"
    assert first.tracked.settings["Train.max_steps"] == 2
    assert first.tracked.settings["Loss"] == "CELoss"
    assert first.tracked.resumed_step is None
    assert first.steps == [1, 2]
    assert first.closed is True
    assert [row["step"] for row in read_rows(tmp_path / "output/metrics.jsonl")] == [1, 2]


@pytest.mark.slow
def test_a_run_that_goes_on_tells_them_so(configure, noted, tmp_path):
    run(configure(*TRAIN, "Train.max_steps=2"))
    latest = tmp_path / "output/latest/latest.pdparams"
    run(
        configure(
            *TRAIN, "Train.max_steps=3", f"Train.resume_path={latest}", "Train.trackers=[mlflow]"
        )
    )
    assert noted[-1].tracked.resumed_step == 2
    assert noted[-1].steps == [3]


def test_a_run_that_fails_closes_them_so(configure, noted, tmp_path):
    with pytest.raises(Exception, match="loss became"):
        run(configure(*TRAIN, "Train.trackers=[wandb]", "Train.learning_rate=1.0e+30"))
    assert [tracker.closed for tracker in noted] == [False]


def test_one_that_cannot_be_opened_is_an_error_and_the_others_are_closed(configure, noted):
    with pytest.raises(ConfigError, match=r"wandb cannot be opened \(PermissionError: no such"):
        run(configure(*TRAIN, "Train.trackers=[tensorboard, wandb: {project: refused}]"))
    assert [tracker.closed for tracker in noted] == [False]


def test_visualdl_is_written_where_it_is_installed_and_welcome(configure, noted, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: name)

    def names(*overrides):
        opened = tracking.open_trackers(configure(*overrides), None)
        return [tracker.options["part"] for tracker in opened]

    assert names("Train.visualdl=true", "Train.trackers=[mlflow]") == ["visualdl", "mlflow"]
    assert names("Train.visualdl=true", "Train.trackers=[visualdl]") == ["visualdl"]
    assert names("Train.visualdl=false") == []
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    assert names("Train.visualdl=true") == []


def test_a_missing_library_is_told_before_anything_is_read(configure, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    config = configure(
        "Global.mode=train", "Train.trackers=[wandb]", f"Global.dataset_dir={tmp_path / 'none'}"
    )
    with pytest.raises(ExtraError, match=r"Train\.trackers: wandb needs .*\[wandb\]"):
        run(config)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[tensorbord]", "Did you mean 'tensorboard'"),
        ("[wandb: {mode: online, projekt: x}]", "Did you mean 'project'"),
        ("[wandb: {mode: sometimes}]", "online"),
        ("[mlflow, mlflow]", "mlflow is named twice"),
    ],
)
def test_wrong_trackers_are_refused_with_their_place(configure, given, said):
    with pytest.raises(ConfigError, match=said) as refused:
        configure(f"Train.trackers={given}")
    assert "Train.trackers" in str(refused.value)
