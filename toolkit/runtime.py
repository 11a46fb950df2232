"""The machine under a run: device, cores, seeds and log lines."""

import importlib
import logging
import math
import os
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from toolkit.errors import DeviceError, ExtraError, import_optional

_DEVICE = re.compile(r"(auto|cpu|gpu)(?::(\d+(?:,\d+)*))?")
_LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
# Said by Paddle whenever it is imported, and whenever batch norm is trained; nothing to be done.
_PADDLE_SAYS = ("No ccache found", "When training, we now always track")
# Where a container says how much of the processors it may use: "200000 100000" is two.
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# Each of these brings a folder named cv2, into the same place.
_OPENCV_WHEELS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


@dataclass(frozen=True)
class Device:
    """Where a network runs.

    Attributes:
        kind: ``cpu`` or ``gpu``.
        ids: the GPUs, first the one that a single process uses; empty on the CPU.
    """

    kind: str
    ids: tuple[int, ...] = ()

    @property
    def paddle_name(self) -> str:
        """The name that ``paddle.set_device`` takes: ``cpu`` or ``gpu:0``."""
        return f"gpu:{self.ids[0]}" if self.kind == "gpu" else "cpu"


def parse_device(text: str) -> tuple[str, tuple[int, ...]]:
    """Splits ``auto | cpu | gpu | gpu:0,1`` into kind and ids, without asking the machine.

    Raises:
        DeviceError: the text is none of these.
    """
    match = _DEVICE.fullmatch(text)
    if match is None or (match[2] and match[1] != "gpu"):
        raise DeviceError(
            f"Unknown device {text!r}. Known: auto, cpu, gpu, gpu:0 or gpu:0,1 (any GPU numbers)."
        )
    ids = tuple(int(part) for part in match[2].split(",")) if match[2] else ()
    return match[1], ids


def gpus_of_paddle() -> int:
    """Returns how many GPUs Paddle can use, as it is installed.

    Raises:
        ExtraError: PaddlePaddle is not installed.
    """
    paddle = import_optional("paddle", purpose="Running a network")
    return paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0


def resolve_device(text: str, count_gpus: Callable[[], int] = gpus_of_paddle) -> Device:
    """Turns a device string into a device that is there; a GPU that is not means a warning.

    Args:
        text: ``auto | cpu | gpu | gpu:0,1``.
        count_gpus: how many there are; not asked for ``cpu``.

    Raises:
        DeviceError: the text is malformed.
        ExtraError: PaddlePaddle is asked, and not installed.
    """
    kind, ids = parse_device(text)
    count = 0 if kind == "cpu" else count_gpus()
    present = tuple(number for number in (ids or (0,)) if number < count)
    if present:
        return Device("gpu", present)
    if kind == "gpu":
        logging.getLogger(__name__).warning(
            "Device %r was asked for and this machine has %d usable GPU(s); using the CPU.",
            text,
            count,
        )
    return Device("cpu")


def cores_allowed() -> int:
    """Returns how many cores this process may use: its affinity mask, cut by a cgroup quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if _CPU_QUOTA.is_file():
        quota, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        if quota != "max":
            return max(1, min(cores or 1, math.ceil(int(quota) / int(period))))
    return cores or 1


def use_device(text: str) -> Device:
    """Makes a device the one that networks are built and run on in this process."""
    device = resolve_device(text)
    paddle = import_optional("paddle", purpose="Running a network")
    paddle.device.set_device(device.paddle_name)
    return device


def prepare_paddle() -> None:
    """Sets the environment that Paddle reads when it is first imported; what is set already stays.

    The matrix library inside Paddle (Intel MKL) falls back to its slowest code on AMD processors
    unless it is told that AVX2 is there; a training step then takes 1.6 to 1.9 times as long. And
    Paddle's own log says nothing below an error that a person could act on.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    information = Path("/proc/cpuinfo")
    if information.is_file() and "AuthenticAMD" in information.read_text(encoding="utf-8"):
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")


def ignore_paddle_warnings() -> None:
    """Lets this process not repeat what Paddle says however it is used."""
    for known in _PADDLE_SAYS:
        warnings.filterwarnings("ignore", message=known, category=UserWarning)


def check_opencv() -> None:
    """Names a clash of several OpenCV wheels: a warning while cv2 works, an error when it does not.

    All of them write the same folder. Whichever was installed last is used, and removing one takes
    files of the other with it, so the fault shows later and elsewhere.

    Raises:
        ExtraError: cv2 cannot be imported, or is what is left of a removed wheel.
    """
    wheels = {name: _version(name) for name in _OPENCV_WHEELS}
    there = {name: version for name, version in wheels.items() if version is not None}
    said = ", ".join(f"{name} {version}" for name, version in there.items()) or "none"
    way_out = f"pip uninstall -y {' '.join(there)} && " if there else ""
    way_out += "pip install opencv-python-headless"
    try:
        reason = "" if hasattr(importlib.import_module("cv2"), "cvtColor") else "it is not whole"
    except ImportError as error:
        reason = str(error)
    if reason:
        raise ExtraError(
            f"The module cv2 cannot be used: {reason}. Installed OpenCV packages: {said}; expected "
            f"one, opencv-python-headless, which needs no screen. Mend it with: {way_out}"
        )
    if len(there) > 1:
        logging.getLogger(__name__).warning(
            "%d packages bring the module cv2 and overwrite each other's files: %s. Keep one: %s",
            len(there),
            said,
            way_out,
        )


def _version(package: str) -> str | None:
    from importlib import metadata  # brings in the mail package

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def seed_framework(seed: int) -> None:
    """Seeds Paddle's own generators (initial weights, dropout); ours are passed in as arguments."""
    paddle = import_optional("paddle", purpose="Running a network")
    paddle.seed(seed)


def configure_logging(log_file: Path | None = None, *, stream: TextIO | None = None) -> None:
    """Sends the toolkit's log lines to `stream` (default: standard error) and to a file.

    Calling it again replaces what an earlier call set up, so that a second run in one process
    does not write into the first one's file.
    """
    logger = logging.getLogger("toolkit")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_LOG_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
