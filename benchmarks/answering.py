"""A process that answers line by line: an order is a line of text, an answer is a JSON object."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.conformance.environments import REPOSITORY


class Answering:
    """A process that stays alive between orders, so that only its work is measured.

    Its first line says that it is ready.

    Args:
        command: the program and its arguments.
        variables: environment variables besides those of this process.
        log: file for what it and its libraries print on the standard error.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=os.environ | variables, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        try:
            self._read()
        except SystemExit:
            self.close()
            raise

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()

    def ask(self, order: str) -> dict[str, Any]:
        """Gives an order and returns its answer.

        Raises:
            SystemExit: the process has ended; the message is the end of its log.
        """
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(f"{order}\n")
                self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its answer will be missing too, and what it said is shown then
        answer: dict[str, Any] = json.loads(self._read())
        return answer

    def _read(self) -> str:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise ended(self._log)
        return line


def ended(log: Path) -> SystemExit:
    """Returns the error that shows the last words of a process."""
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    return SystemExit(f"A worker of the benchmark ended; it said ({log}):\n{said}")
