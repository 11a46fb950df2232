"""Starting the processes of a run, and ending all of them when one ends badly."""

import contextlib
import io
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from types import FrameType
from typing import Any

import paddle

from toolkit.distributed.group import join_group, process_rank
from toolkit.errors import ProcessError, ToolkitError
from toolkit.runtime import cores_allowed

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOOK_EVERY = 0.05  # seconds
# How long the others may take to say that they have ended too, before the first to say why is told.
_LAST_WORDS = 1.0
# Paddle takes them out of the environment of a process that it starts.
_PROXIES = ("http_proxy", "https_proxy")


@dataclass(frozen=True)
class LaunchPlan:
    """Which processes are started.

    Attributes:
        count: how many.
        gpus: the GPUs by the machine's own numbers, one each; empty for processes on the CPU.
        logs: folder for what all but the first one would print, ``process_<rank>.log``.
    """

    count: int
    gpus: tuple[str, ...]
    logs: Path


@dataclass(frozen=True)
class _Refused:
    error: ToolkitError


@dataclass(frozen=True)
class _Worker:
    """What a started process runs; sent to it."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    logs: Path
    cores: tuple[tuple[int, ...], ...]
    proxies: dict[str, str]

    def __call__(self) -> Any:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        # A terminal's Ctrl-C goes to a whole group of processes; here the first one passes it on.
        if hasattr(os, "setpgrp"):
            os.setpgrp()
        os.environ.update(self.proxies)
        rank = int(os.environ["PADDLE_TRAINER_ID"])
        if self.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, self.cores[rank])
        if rank:
            _write_to(self.logs / f"process_{rank}.log")
        # Being ended by the others' end is no fault to print the stack of.
        paddle.disable_signal_handler()
        # Paddle prints which of its flags are not the default.
        with contextlib.redirect_stderr(io.StringIO()):
            join_group()
        try:
            return self.work(*self.arguments)
        except ToolkitError as error:
            if process_rank():
                # For people: a wrong input has no traceback.
                logging.getLogger("toolkit").error("%s: %s", type(error).__name__, error)  # noqa: TRY400
            return _Refused(error)


def run_processes(work: Callable[..., Any], arguments: Sequence[Any], plan: LaunchPlan) -> Any:
    """Runs ``work(*arguments)`` in several processes that form a group.

    When one of them ends badly all are ended. A SIGTERM or Ctrl-C to this process is passed on to
    them, once, and they may end by themselves; a second one ends them.

    Args:
        work: a function of a module; called in each process after it has joined the group.
        arguments: sent to each process.
        plan: which processes.

    Returns:
        What `work` returned in the first process.

    Raises:
        ToolkitError: whatever `work` raised in one of them.
        ProcessError: one was killed.
        RuntimeError: one failed in another way; the message has its traceback.
        KeyboardInterrupt: they were asked to end, and had nothing to say.
    """
    plan.logs.mkdir(parents=True, exist_ok=True)
    cores = () if plan.gpus else _shared_cores(plan.count)
    proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    worker = _Worker(work, tuple(arguments), plan.logs, cores, proxies)
    spawn: Any = paddle.distributed.spawn
    options = {"backend": "gloo"}
    if plan.gpus:
        options = {"backend": "nccl", "gpus": ",".join(plan.gpus)}
    with _quiet(), _environment(len(cores[0]) if cores else None):
        started = spawn(worker, nprocs=plan.count, join=False, **options)
    try:
        watch = _Watch(started, plan)
        with watch.signals_passed_on():
            value = watch.until_the_end()
        for process in started.processes:
            process.join(_LAST_WORDS)
        return value
    finally:
        for process in started.processes:
            process.terminate()
        for process in started.processes:
            process.join(_LAST_WORDS)
            process.kill()
            process.join()


class _Watch:
    """Looks after started processes."""

    def __init__(self, started: Any, plan: LaunchPlan) -> None:
        self._started, self._plan = started, plan
        self._returned: dict[int, Any] = {}
        self._asked = False

    @contextlib.contextmanager
    def signals_passed_on(self) -> Iterator[None]:
        """Lets the processes hear of a signal to this one; only a main thread hears any."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            signal.signal(number, self._hear)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        for process in self._started.processes:
            if process.is_alive():
                os.kill(process.pid, number)

    def until_the_end(self) -> Any:
        while True:
            self._look()
            if self._one_failed():
                time.sleep(_LAST_WORDS)
                self._look()
                self._raise()
            if len(self._returned) == self._plan.count:
                return self._returned[0]
            time.sleep(_LOOK_EVERY)

    def _look(self) -> None:
        for rank, queue in enumerate(self._started.return_queues):
            if rank not in self._returned and not queue.empty():
                self._returned[rank] = queue.get()

    def _one_failed(self) -> bool:
        codes = [process.exitcode for process in self._started.processes]
        refused = any(isinstance(value, _Refused) for value in self._returned.values())
        silent = any(
            code is not None and rank not in self._returned and self._nothing_comes(rank)
            for rank, code in enumerate(codes)
        )
        return refused or silent or any(codes)

    def _nothing_comes(self, rank: int) -> bool:
        """Tells, of a process that has ended, that it returned nothing."""
        self._look()
        return rank not in self._returned

    def _raise(self) -> None:
        """Raises the cause: the others fail as well, for one they wait for is gone."""
        for value in self._returned.values():
            if isinstance(value, _Refused):
                raise value.error
        if self._asked:
            raise KeyboardInterrupt
        codes = [process.exitcode for process in self._started.processes]
        for rank, code in enumerate(codes):
            if code is not None and code < 0:
                raise ProcessError(
                    f"Process {rank} of {self._plan.count} was ended by signal {-code}; the others "
                    "were ended too. Signal 9 often means that the machine ran out of memory: "
                    f"take a smaller Train.batch_size or fewer processes.{self._log_of(rank)}"
                )
        traces = {
            rank: queue.get()
            for rank, queue in enumerate(self._started.error_queues)
            if not queue.empty()
        }
        # Whoever waited for the one that failed says that the connection is lost.
        rank, trace = min(
            traces.items(),
            key=lambda item: "gloo" in item[1] or "store" in item[1].splitlines()[-1].lower(),
            default=(0, "It left without a word."),
        )
        raise RuntimeError(
            f"Process {rank} of {self._plan.count} failed and all were ended."
            f"{self._log_of(rank)}\n{trace}"
        )

    def _log_of(self, rank: int) -> str:
        return f" Its log: {self._plan.logs / f'process_{rank}.log'}" if rank else ""


def _shared_cores(count: int) -> tuple[tuple[int, ...], ...]:
    """Returns the cores of each process, so that together they want no more than there are."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))[: cores_allowed()]
    each = max(1, len(cores) // count)
    return tuple(
        tuple(cores[(rank * each + place) % len(cores)] for place in range(each))
        for rank in range(count)
    )


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, however it went."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write_to(file: Path) -> None:
    """Sends what this process and its libraries print to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with file.open("wb", buffering=0) as target:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Paddle from telling which ports it found, and that gloo is for the CPU."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your model will be trained under CPUONLY")
        logging.disable(logging.INFO)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _environment(threads: int | None) -> Iterator[None]:
    """Sets what the processes that are started inside have to know before they import Paddle."""
    # Paddle looks for ccache when it is imported; it has nothing to do with us.
    wanted = {"PYTHONWARNINGS": "ignore:No ccache found:UserWarning"}
    if threads is not None:
        wanted["OMP_NUM_THREADS"] = str(threads)
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]
