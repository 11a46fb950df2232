"""How many processes run a task, and on which devices."""

import pytest

from toolkit.errors import ConfigError
from toolkit.interfaces import processes
from toolkit.interfaces.processes import (
    launched_rank,
    process_devices,
    run_task,
    visible_gpus,
)
from toolkit.runtime import Device


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(processes, "resolve_device", lambda _: Device("gpu", (0, 1)))


def test_one_process_has_the_device_as_it_was_asked_for(configure):
    assert process_devices(configure("Global.device=auto")) == ["auto"]


def test_processes_on_the_cpu_are_counted_by_the_configuration(configure):
    assert process_devices(configure("Train.num_processes=3")) == ["cpu"] * 3


def test_there_is_a_process_for_every_gpu(configure, two_gpus):
    config = configure("Global.device=gpu:0,1")
    assert process_devices(config) == ["gpu:0", "gpu:1"]
    assert process_devices(configure("Global.device=gpu:0,1", "Train.num_processes=2"))


def test_gpus_that_are_not_there_mean_one_process_on_the_cpu(configure, monkeypatch):
    monkeypatch.setattr(processes, "resolve_device", lambda _: Device("cpu"))
    assert process_devices(configure("Global.device=gpu:0,1")) == ["cpu"]


def test_another_number_of_processes_than_of_gpus_is_refused(configure, two_gpus):
    with pytest.raises(
        ConfigError, match=r"Train\.num_processes is 3 and Global\.device 'gpu:0,1'"
    ):
        process_devices(configure("Global.device=gpu:0,1", "Train.num_processes=3"))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (None, ("0", "1")),
        ("", ("0", "1")),
        ("4, 7,5", ("4", "7")),
        ("GPU-a,GPU-b", ("GPU-a", "GPU-b")),
    ],
)
def test_gpus_count_among_those_that_can_be_seen(environment, expected):
    assert visible_gpus(["gpu:0", "gpu:1"], environment) == expected


def test_the_rank_is_the_launcher_s_where_it_started_several(monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINER_ID", "1")
    assert launched_rank() == 0
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    assert launched_rank() == 1


def test_a_launcher_is_for_modes_that_can_be_shared(configure, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    with pytest.raises(ConfigError, match=r"Global\.mode predict runs in one process"):
        run_task(configure("Global.mode=predict"))


def test_modes_that_run_alone_ask_no_one_for_devices(configure, monkeypatch):
    monkeypatch.setattr(processes, "resolve_device", lambda _: pytest.fail("Paddle was asked"))
    monkeypatch.setattr(processes.TASKS, "get", lambda mode: lambda _: mode)
    config = configure("Global.mode=check_dataset", "Global.device=gpu:0,1")
    assert run_task(config) == "check_dataset"


@pytest.mark.parametrize("launched", [False, True])
def test_a_frozen_backbone_is_trained_behind_by_one_process(configure, monkeypatch, launched):
    if launched:
        monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    config = configure("Global.mode=train", "Train.num_processes=2", "Train.freeze_backbone=true")
    with pytest.raises(ConfigError, match=r"Train\.freeze_backbone trains in one process"):
        run_task(config)
