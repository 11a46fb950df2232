"""The other end of `inference_worker`: starting one, giving it orders, and its cold start."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.answering import Answering, ended
from benchmarks.conformance.environments import REPOSITORY

# PaddleX would ask several hosts whether they are there, which says nothing of its speed.
_VARIABLES = {"PYTHONPATH": str(REPOSITORY), "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}


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


class Worker(Answering):
    """A side that stays alive between its turns.

    Args:
        side: what it runs.
        log: file for what its libraries print.
    """

    def __init__(self, side: Side, log: Path) -> None:
        super().__init__(side.command(), _VARIABLES, log)
        self._features = log.with_suffix(".npy")
        self.peak_mib = 0.0

    def images_per_second(self, listing: Path, batch_size: int) -> float:
        """Returns the rate at which the pictures of a list become features."""
        answer = self._order(listing, batch_size, None)
        return float(answer["images"] / answer["seconds"])

    def images_apart_per_second(self, listing: Path) -> float:
        """Returns the rate at which the pictures of a list become features in a call each."""
        answer = self._order(listing, 1, None, apart=True)
        return float(answer["images"] / answer["seconds"])

    def features(self, listing: Path, batch_size: int) -> NDArray[np.float32]:
        """Returns the features [n, d] of the pictures of a list."""
        self._order(listing, batch_size, str(self._features))
        features: NDArray[np.float32] = np.load(self._features)
        return features

    def _order(
        self, listing: Path, batch_size: int, features: str | None, *, apart: bool = False
    ) -> dict[str, Any]:
        order = {"list": str(listing), "batch_size": batch_size, "features": features}
        answer = self.ask(json.dumps({**order, "apart": apart}))
        self.peak_mib = answer["peak_mib"]
        return answer


def seconds_to_first_feature(side: Side, picture: Path, log: Path) -> float:
    """Returns how long a new process takes from its start to the feature of one picture."""
    started = time.perf_counter()
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            side.command("--first", str(picture)), cwd=REPOSITORY, env=os.environ | _VARIABLES,
            text=True, stdout=subprocess.PIPE, stderr=errors,
        ) as process,
    ):  # fmt: skip
        answer = "" if process.stdout is None else process.stdout.readline()
        taken = time.perf_counter() - started
    if not answer:
        raise ended(log)
    return taken
