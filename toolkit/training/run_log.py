"""metrics.jsonl: one JSON line for every update and every evaluation of a run.

Rows are {"kind": "step", epoch, step, learning_rate, loss, losses, images, images_per_second,
reader_share, skipped} and {"kind": "evaluation", epoch, step, metrics}. A line is written at once
and as a whole; one that a killed process left half written is dropped when the log is opened again.
"""

import json
import math
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolkit.storage import write_text
from toolkit.training.learner import Listener, StepRecord

FILE_NAME = "metrics.jsonl"


class RunLog(Listener):
    """Appends rows to a log, and to VisualDL where it is installed.

    Args:
        file: the log. An old one is replaced, unless the run goes on.
        resumed_step: the update the run goes on after; later rows of the old log are dropped, for
            they will be written again. None starts a new log.
        visualdl: folder for VisualDL's records; None for none. Nothing is written there when
            VisualDL is not installed.
    """

    def __init__(
        self, file: Path, *, resumed_step: int | None = None, visualdl: Path | None = None
    ) -> None:
        self._file = file
        kept = [] if resumed_step is None else read_rows(file)
        kept = [row for row in kept if row["step"] <= (resumed_step or 0)]
        write_text(file, "".join(_line(row) for row in kept))
        self._writer: Any = None
        if visualdl is not None and find_spec("visualdl") is not None:
            self._writer = import_module("visualdl").LogWriter(logdir=str(visualdl))

    def on_step(self, record: StepRecord) -> None:
        """Writes the row of an update."""
        seconds = max(record.seconds, 1e-9)
        self._write(
            {
                "kind": "step",
                "epoch": record.epoch,
                "step": record.position.step,
                "learning_rate": record.learning_rate,
                "loss": record.loss,
                "losses": record.parts,
                "images": record.images,
                "images_per_second": round(record.images / seconds, 2),
                "reader_share": round(record.reader_seconds / seconds, 4),
                "skipped": len(record.failures),
            }
        )
        self._scalars(
            record.position.step,
            {
                "train/learning_rate": record.learning_rate,
                "train/loss": record.loss,
                **{f"train/{name}": value for name, value in record.parts.items()},
            },
        )

    def on_evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Writes the row of an evaluation."""
        row = {"kind": "evaluation", "epoch": epoch, "step": step, "metrics": dict(metrics)}
        self._write(row)
        self._scalars(step, {f"evaluation/{name}": value for name, value in metrics.items()})

    def close(self) -> None:
        """Closes VisualDL's file; the log itself is whole after every row."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def _scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        if self._writer is None:
            return
        for tag, value in values.items():
            if value is not None:
                self._writer.add_scalar(tag=tag, value=value, step=step)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Returns the rows of a log; none when there is no file. A half written line is left out."""
    if not file.is_file():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and "kind" in row and "step" in row:
            rows.append(row)
    return rows


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(_finite(row), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN; null says the same."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
