"""The other end of `inference_worker`: starting one, giving it orders, and its cold start."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.conformance.environments import REPOSITORY


@dataclass(frozen=True)
class Side:
    """How one side is run.

    Attributes:
        name: ``toolkit`` or ``paddlex``.
        python: interpreter that has it.
        model: folder of the exported model.
        threads: CPU threads; None is the side's own default.
        exact: decode every pixel of large pictures; PaddleX always does.
    """

    name: str
    python: Path
    model: Path
    threads: int | None = None
    exact: bool = False

    def command(self, *more: str) -> list[str]:
        """Returns the command line of a worker."""
        chosen = [] if self.threads is None else ["--threads", str(self.threads)]
        chosen += ["--exact"] if self.exact else []
        module = ["-W", "ignore", "-m", "benchmarks.inference_worker"]
        return [str(self.python), *module, self.name, str(self.model), *chosen, *more]


class Worker:
    """A side that stays alive between its turns, so that only its work is measured.

    Args:
        side: what it runs.
        log: file for what its libraries print.
    """

    def __init__(self, side: Side, log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                side.command(), cwd=REPOSITORY, env=_variables(), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        self.peak_mib = 0.0
        self._read()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def images_per_second(self, listing: Path, batch_size: int) -> float:
        """Returns the rate at which the pictures of a list become features."""
        answer = self._order(listing, batch_size, None)
        return float(answer["images"] / answer["seconds"])

    def features(self, listing: Path, batch_size: int) -> NDArray[np.float32]:
        """Returns the features [n, d] of the pictures of a list."""
        file = self._log.with_suffix(".npy")
        self._order(listing, batch_size, str(file))
        features: NDArray[np.float32] = np.load(file)
        return features

    def _order(self, listing: Path, batch_size: int, features: str | None) -> dict[str, Any]:
        order = {"list": str(listing), "batch_size": batch_size, "features": features}
        if self._process.stdin is None:
            raise SystemExit("The worker has no standard input.")
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its answer will be missing too, and what it said is shown then
        answer = self._read()
        self.peak_mib = answer["peak_mib"]
        return answer

    def _read(self) -> dict[str, Any]:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise _ended(self._log)
        answer: dict[str, Any] = json.loads(line)
        return answer


def seconds_to_first_feature(side: Side, picture: Path, log: Path) -> float:
    """Returns how long a new process takes from its start to the feature of one picture."""
    started = time.perf_counter()
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            side.command("--first", str(picture)), cwd=REPOSITORY, env=_variables(), text=True,
            stdout=subprocess.PIPE, stderr=errors,
        ) as process,
    ):  # fmt: skip
        answer = "" if process.stdout is None else process.stdout.readline()
        taken = time.perf_counter() - started
    if not answer:
        raise _ended(log)
    return taken


def _ended(log: Path) -> SystemExit:
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    return SystemExit(f"A worker of the benchmark ended; it said ({log}):\n{said}")


def _variables() -> dict[str, str]:
    # PaddleX would ask several hosts whether they are there, which says nothing of its speed.
    return os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
    }
