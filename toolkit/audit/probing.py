"""Decodes many files on all cores; a file that kills its decoder is one more fact.

Each worker is a process of its own behind a pair of pipes. A pool of `multiprocessing` would lose
every picture in flight with one dead worker, could not say which picture did it, and would need the
caller's script to be importable.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from toolkit.audit.facts import Failure, ImageFacts

# Measures files, in any order: (paths, max_pixels) -> facts.
Prober = Callable[[Sequence[Path], int], Iterator[ImageFacts]]

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_READY = "ready"
# A first death may be the machine's doing (out of memory, a stray kill); a second is the file's.
_TRIES = 2
# Paths that go to a process at once: what it costs to talk to it is shared by them.
_FILES_A_MESSAGE = 8
# How long a process that closed its pipe may take to end, so that its own exit code is seen.
_GRACE_SECONDS = 5.0
# Starting a process costs about as much as measuring this many small pictures.
_FILES_A_WORKER = 32


def probe_here(paths: Sequence[Path], max_pixels: int) -> Iterator[ImageFacts]:
    """Measures files in this process: no start-up cost, and no protection from a crash."""
    from toolkit.audit.measure import measure_file

    for path in paths:
        yield measure_file(path, max_pixels=max_pixels)


class WorkerPool:
    """A `Prober` on several processes.

    Args:
        num_workers: at most how many processes.
        command: what to start instead of the worker; it gets the number of pixels allowed as its
            last argument. For tests.
    """

    def __init__(self, num_workers: int, command: Sequence[str] | None = None) -> None:
        self._num_workers = num_workers
        self._command = list(command or [sys.executable, "-m", "toolkit.audit.worker"])

    def __call__(self, paths: Sequence[Path], max_pixels: int) -> Iterator[ImageFacts]:
        """Yields the facts of each path as they come, in no order."""
        messages = [
            paths[start : start + _FILES_A_MESSAGE]
            for start in range(0, len(paths), _FILES_A_MESSAGE)
        ]
        waiting = _Shared(messages)
        answers: queue.SimpleQueue[list[ImageFacts] | BaseException] = queue.SimpleQueue()
        number = max(1, min(self._num_workers, -(-len(paths) // _FILES_A_WORKER)))
        workers = [_Worker([*self._command, str(max_pixels)]) for _ in range(number)]
        threads = [
            threading.Thread(target=_serve, args=(worker, waiting, answers), daemon=True)
            for worker in workers
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in messages:
                answer = answers.get()
                if isinstance(answer, BaseException):
                    raise answer
                yield from answer
        finally:
            waiting.close()
            for worker in workers:
                worker.close()
            for thread in threads:
                thread.join()


class _Shared:
    """Hands out messages to several threads, until it is closed."""

    def __init__(self, messages: Iterable[Sequence[Path]]) -> None:
        self._messages = iter(messages)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Sequence[Path]]:
        while True:
            with self._lock:
                message = next(self._messages, None)
            if message is None:
                return
            yield message

    def close(self) -> None:
        with self._lock:
            self._messages = iter(())


def _serve(
    worker: "_Worker",
    waiting: _Shared,
    answers: "queue.SimpleQueue[list[ImageFacts] | BaseException]",
) -> None:
    """One thread a worker: asks, waits, passes on. An error here is raised by the reader."""
    try:
        for paths in waiting:
            answers.put(worker.ask(paths))
    except BaseException as error:  # nothing is lost: the reader raises it
        answers.put(error)


class _Worker:
    """One process; started when first asked, and again after it died."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None
        self._code = 0
        self._closed = False

    def ask(self, paths: Sequence[Path]) -> list[ImageFacts]:
        """Returns the facts of some files; a `Failure` where the decoder died every time."""
        if len(paths) > 1:
            return self._answer(paths) or [fact for path in paths for fact in self.ask([path])]
        for _ in range(_TRIES):
            facts = self._answer(paths)
            if facts:
                return facts
        reason = f"the decoder crashed on it ({_ending(self._code)})"
        status = paths[0].stat()
        failure = Failure("unreadable", reason)
        return [ImageFacts(str(paths[0]), status.st_size, status.st_mtime_ns, "", failure)]

    def close(self) -> None:
        """Ends the process, also from another thread in the middle of `ask`."""
        self._closed = True
        self._stop()

    def _answer(self, paths: Sequence[Path]) -> list[ImageFacts]:
        """Asks once; nothing when the process died of it, and then the next call starts another."""
        line = self._exchange(self._process or self._start(), paths)
        if not line:
            self._code = self._stop(grace=_GRACE_SECONDS)
            return []
        return [ImageFacts.from_json(record) for record in json.loads(line)]

    def _exchange(self, process: "subprocess.Popen[str]", paths: Sequence[Path]) -> str:
        if process.stdin is None or process.stdout is None:
            return ""
        with suppress(OSError, ValueError):
            process.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            return line if line.endswith("\n") else ""
        return ""

    def _start(self) -> "subprocess.Popen[str]":
        if self._closed:
            raise RuntimeError("The pool is closed.")
        paths = [str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "OMP_NUM_THREADS": "1",
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        if self._process.stdout is None or self._process.stdout.readline().strip() != _READY:
            self._errors.seek(0)
            said = self._errors.read().decode("utf-8", "replace").strip()
            raise RuntimeError(f"The image checker {self._command} does not start: {said}")
        return self._process

    def _stop(self, grace: float = 0.0) -> int:
        """Ends the process, after `grace` seconds in which it may end by itself."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout, self._errors):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return code


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
