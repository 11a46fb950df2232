"""Which processes run a task: this one, several that are started here, or a launcher's."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.config.schema import Config
from toolkit.errors import ConfigError
from toolkit.registry import TASKS
from toolkit.runtime import configure_logging, prepare_paddle, resolve_device
from toolkit.tasks.report import Report
from toolkit.training.interruption import InterruptedRunError

_TOGETHER = ("train", "evaluate")
_LOGS = "processes"


@dataclass(frozen=True)
class GroupReport:
    """The report of the first of several processes.

    Attributes:
        passed: as of any report.
        content: what its `to_json` gave.
        text: its summary.
        interrupted: it ended on Ctrl-C, with everything saved.
    """

    passed: bool
    content: dict[str, Any]
    text: str
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Returns the first process's."""
        return self.content

    def summary(self) -> str:
        """Returns the first process's."""
        return self.text


def launched_rank() -> int:
    """Returns the number of this process among those of a launcher; 0 for one that is alone."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0")) if _launched() else 0


def run_task(config: Config) -> Report:
    """Runs the mode of a configuration, in as many processes as it asks for.

    Raises:
        ConfigError: the mode cannot be run by a launcher.
        ToolkitError: whatever the task raises.
    """
    mode, launched = config.Global.mode, _launched()
    if launched and mode not in _TOGETHER:
        raise ConfigError(
            f"Global.mode {mode} runs in one process, and a launcher has started several; the "
            f"modes for that are {', '.join(_TOGETHER)}. Run main.py without the launcher."
        )
    devices = process_devices(config) if mode in _TOGETHER else [config.Global.device]
    if not launched and len(devices) == 1:
        report: Report = TASKS.get(mode)(config)
        return report
    frozen = {
        "Train.freeze_backbone": config.Train.freeze_backbone,
        "Train.adapter": config.Train.adapter is not None,
    }
    if mode == "train" and any(frozen.values()):
        name = next(name for name, is_given in frozen.items() if is_given)
        raise ConfigError(
            f"{name} trains in one process: the features are computed once, and what is left is "
            "small. Leave out Train.num_processes and further GPUs."
        )
    return _run_in_group(config) if launched else _run_in_processes(config, devices)


def process_devices(config: Config) -> list[str]:
    """Returns the device of each process, one or more.

    Raises:
        ConfigError: a number of processes is asked for on GPUs, which is that of the GPUs.
    """
    asked, count = config.Global.device, config.Train.num_processes
    if count == 1 and "," not in asked:
        return [asked]
    device = resolve_device(asked)
    if device.kind == "cpu":
        return ["cpu"] * count
    if count not in (1, len(device.ids)):
        raise ConfigError(
            f"Train.num_processes is {count} and Global.device {asked!r}: on GPUs there is one "
            "process for each. Name as many GPUs, or leave num_processes out."
        )
    return [f"gpu:{number}" for number in device.ids]


def visible_gpus(devices: list[str], environment: str | None) -> tuple[str, ...]:
    """Returns the machine's own numbers of GPUs.

    Args:
        devices: ``gpu:<number>`` each, counted among those that can be seen.
        environment: CUDA_VISIBLE_DEVICES, which says what can be seen; None for all.
    """
    numbers = [int(device.partition(":")[2]) for device in devices]
    if not environment:
        return tuple(map(str, numbers))
    seen = [name.strip() for name in environment.split(",")]
    return tuple(seen[number] for number in numbers)


def _launched() -> bool:
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1")) > 1


def _run_in_processes(config: Config, devices: list[str]) -> Report:
    # These bring in Paddle, which the modes that run alone may do without.
    from toolkit.distributed.launch import LaunchPlan, run_processes

    gpus: tuple[str, ...] = ()
    if devices[0] != "cpu":
        gpus = visible_gpus(devices, os.environ.get("CUDA_VISIBLE_DEVICES"))
    plan = LaunchPlan(len(devices), gpus, Path(config.Global.output) / _LOGS)
    report: GroupReport = run_processes(_task_of_process, [config], plan)
    if report.interrupted:
        raise InterruptedRunError(report.text, report.content)
    return report


def _task_of_process(config: Config) -> GroupReport:
    """Runs the task in a process that was started for it."""
    prepare_paddle()
    output, mode = Path(config.Global.output), config.Global.mode
    keeps_log = mode == "train" and launched_rank() == 0
    configure_logging(output / "train.log" if keeps_log else None)
    try:
        report = _run_in_group(config)
    except InterruptedRunError as error:
        return GroupReport(passed=False, content=error.result, text=str(error), interrupted=True)
    return GroupReport(report.passed, report.to_json(), report.summary())


def _run_in_group(config: Config) -> Report:
    from toolkit.distributed.group import join_group, own_device

    join_group()
    section = config.Global.model_copy(update={"device": own_device()})
    report: Report = TASKS.get(config.Global.mode)(config.model_copy(update={"Global": section}))
    return report
