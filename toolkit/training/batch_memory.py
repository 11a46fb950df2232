"""How large a batch may be: what a picture takes in a step, and what is free."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from toolkit.errors import DeviceError
from toolkit.training.gradients import find_gradients, take_step
from toolkit.training.joint_batches import agreed
from toolkit.training.learner import Batch, Learner, Position
from toolkit.training.preserved import preserved

_MIB = 2**20
_USABLE = 0.8  # the rest is for readers, evaluation, and what else runs
_CLEAR_DIFFERENCE = 16 * _MIB
_DOUBLINGS = 4
_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


class Memory(Protocol):
    """The memory that a step takes from."""

    def forget_peak(self) -> None:
        """Begins a new measurement."""

    def peak(self) -> int:
        """Returns the most bytes in use since then."""

    def free(self) -> int:
        """Returns the bytes that this process may still take."""


class HostMemory:
    """Memory of this machine or container, as Linux tells it.

    Args:
        proc: where the kernel tells of processes.
        cgroup: where it tells of the container's limits.
    """

    def __init__(self, proc: Path = _PROC, cgroup: Path = _CGROUP) -> None:
        self._proc, self._cgroup = proc, cgroup

    def forget_peak(self) -> None:
        """Begins a new measurement.

        Raises:
            DeviceError: this system does not tell.
        """
        try:
            (self._proc / "self/clear_refs").write_text("5", encoding="ascii")
        except OSError as error:
            raise DeviceError(
                f"The memory of a step cannot be measured here: {error}. It is asked of Linux's "
                "/proc; leave out Train.suggest_batch_size."
            ) from error

    def peak(self) -> int:
        """Returns the most bytes that were resident."""
        return self._number(self._proc / "self/status", r"VmHWM:\s+(\d+) kB") * 1024

    def free(self) -> int:
        """Returns what is available, cut by the container's limit."""
        free = self._number(self._proc / "meminfo", r"MemAvailable:\s+(\d+) kB") * 1024
        limit, used = self._cgroup / "memory.max", self._cgroup / "memory.current"
        if limit.is_file() and used.is_file():
            text = limit.read_text(encoding="ascii").strip()
            if text != "max":
                free = min(free, int(text) - int(used.read_text(encoding="ascii")))
        return max(0, free)

    def _number(self, file: Path, pattern: str) -> int:
        match = re.search(pattern, file.read_text(encoding="utf-8"))
        if match is None:
            raise DeviceError(f"{file} does not tell what is needed to suggest a batch size.")
        return int(match[1])


class GpuMemory:
    """Memory of the GPU that this process uses, as Paddle tells it."""

    def __init__(self) -> None:
        from paddle.device import cuda

        self._cuda: Any = cuda

    def forget_peak(self) -> None:
        """Begins a new measurement."""
        self._cuda.reset_max_memory_allocated()

    def peak(self) -> int:
        """Returns the most bytes that were allocated."""
        return int(self._cuda.max_memory_allocated())

    def free(self) -> int:
        """Returns what this process has not taken; another one's share is not seen."""
        total = self._cuda.get_device_properties().total_memory
        return int(total - self._cuda.memory_allocated())


@dataclass(frozen=True)
class BatchSuggestion:
    """How large a batch may be.

    Attributes:
        batch_size: the largest that fits into four fifths of what is free.
        bytes_a_picture: what each picture more takes in a step.
        free: bytes.
        measured: batch size -> peak of its step, in bytes.
    """

    batch_size: int
    bytes_a_picture: float
    free: int
    measured: dict[int, int]


def suggest_batch_size(
    learner: Learner,
    batch: Batch,
    memory: Memory,
    *,
    multiple: int = 1,
    largest: int = 65536,
    seed: int = 0,
) -> BatchSuggestion:
    """Measures steps of two sizes, and draws a line through them; the learner stays as it was.

    Args:
        learner: what is to be trained.
        batch: pictures of one step; taken several times over for a larger one.
        memory: what a step takes from.
        multiple: what the batch size must be a multiple of, such as a sampler's K.
        largest: no larger batch is suggested.
        seed: of the run.

    Raises:
        DeviceError: the memory cannot be measured.
    """
    learner.model.train()
    learner.loss.train()
    size = len(batch[1])
    with preserved(learner):
        # The first step also makes what stays: gradients, buffers of the libraries.
        _step(learner, _of_size(batch, size), seed)
        free = memory.free()
        measured = {size: _peak(learner, batch, size, memory, seed)}
        for _ in range(_DOUBLINGS):
            larger = 2 * max(measured)
            measured[larger] = _peak(learner, batch, larger, memory, seed)
            if measured[larger] - measured[size] >= _CLEAR_DIFFERENCE:
                break
    more = max(measured)
    each = max(1.0, (measured[more] - measured[size]) / (more - size))
    fitting = size + int(_USABLE * free / each) if measured[more] > measured[size] else largest
    fitting = min(fitting, largest)
    return BatchSuggestion(max(multiple, fitting // multiple * multiple), each, free, measured)


def _peak(learner: Learner, batch: Batch, size: int, memory: Memory, seed: int) -> int:
    memory.forget_peak()
    _step(learner, _of_size(batch, size), seed)
    return memory.peak()


def _step(learner: Learner, batch: Batch, seed: int) -> None:
    learner.before_step(0)
    find_gradients(learner, agreed([batch], ""), Position(), seed)
    take_step(learner)


def _of_size(batch: Batch, size: int) -> Batch:
    """Returns the pictures of a batch, over and over."""
    pixels, labels, indices, _ = batch
    rows = np.arange(size) % len(labels)
    take: Callable[[Any], Any] = lambda values: np.asarray(values)[rows]  # noqa: E731
    images = tuple(take(group) for group in pixels) if isinstance(pixels, tuple) else take(pixels)
    return images, take(labels), take(indices), []
