"""Writes metrics.jsonl, and tells the trackers of a run what it writes.

`toolkit.reports.run_rows` says what stands in the file. A line is written at once and as a whole;
one that a killed process left half written is dropped when the log is opened again.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.reports.run_rows import read_rows
from toolkit.storage import write_text
from toolkit.training.learner import EpochRecord, Listener, StepRecord
from toolkit.training.trackers.tracker import Tracker

_LOGGER = logging.getLogger(__name__)
# Of a row of an update, beside its losses, to the trackers.
_TRACKED = ("learning_rate", "loss", "images_per_second", "reader_share")


class RunLog(Listener):
    """Appends rows to a log, and hands their numbers to trackers.

    A tracker that fails is named in a warning and told no more; the run goes on, and the log has
    everything.

    Args:
        file: the log. An old one is replaced, unless the run goes on.
        resumed_step: the update the run goes on after; later rows of the old log are dropped, for
            they will be written again. None starts a new log.
        trackers: where the numbers go besides; closed with the log.
        clock: gives the time in seconds since 1970.
    """

    def __init__(
        self,
        file: Path,
        *,
        resumed_step: int | None = None,
        trackers: Sequence[Tracker] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file, self._clock = file, clock
        self._trackers = list(trackers)
        kept = [] if resumed_step is None else read_rows(file)
        kept = [row for row in kept if row["step"] <= (resumed_step or 0)]
        write_text(file, "".join(_line(row) for row in kept))
        for tracker in [tracker for tracker in self._trackers if tracker.replays]:
            for row in kept:
                self._tell(tracker, row)

    def on_step(self, record: StepRecord) -> None:
        """Writes the row of an update."""
        seconds = max(record.seconds, 1e-9)
        self._write(
            "step",
            record.epoch,
            record.position.step,
            {
                "learning_rate": record.learning_rate,
                "loss": record.loss,
                "losses": record.parts,
                "images": record.images,
                "images_per_second": round(record.images / seconds, 2),
                "reader_share": round(record.reader_seconds / seconds, 4),
                "skipped": len(record.failures),
            },
        )

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Writes the row of an epoch; one that the run ended within has none."""
        if record.complete:
            numbers = {"loss": record.mean_loss, "images": record.images}
            self._write("epoch", record.epoch, record.position.step, numbers)

    def on_evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Writes the row of an evaluation."""
        self._write("evaluation", epoch, step, {"metrics": dict(metrics)})

    def close(self, *, finished: bool = True) -> None:
        """Closes the trackers; the log itself is whole after every row.

        Args:
            finished: False when the training failed.
        """
        trackers, self._trackers = self._trackers, []
        for tracker in trackers:
            _close(tracker, finished=finished)

    def _write(self, kind: str, epoch: int, step: int, numbers: Mapping[str, Any]) -> None:
        when = round(self._clock(), 3)
        row = {"kind": kind, "epoch": epoch, "step": step, "time": when, **numbers}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        for tracker in list(self._trackers):
            self._tell(tracker, row)

    def _tell(self, tracker: Tracker, row: Mapping[str, Any]) -> None:
        values = _scalars(row)
        if not values or tracker not in self._trackers:
            return
        try:
            # Logs of earlier versions have no time.
            tracker.write(row["step"], values, row.get("time", 0.0))
        except Exception as error:  # a network, a full disk, a service: none may end a training
            self._trackers.remove(tracker)
            _LOGGER.warning(
                "%s failed at step %d and gets nothing more of this run; %s has everything. %s: %s",
                *(type(tracker).__name__, row["step"], self._file, type(error).__name__, error),
            )


def _close(tracker: Tracker, *, finished: bool) -> None:
    try:
        tracker.close(finished=finished)
    except Exception as error:  # whatever a service does, the run is done
        _LOGGER.warning("%s could not be closed: %s", type(tracker).__name__, error)


def _scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers of a row under the tags that trackers show them by."""
    if row["kind"] == "step":
        numbers = {name: row.get(name) for name in _TRACKED} | dict(row["losses"])
        tagged = {f"train/{name}": value for name, value in numbers.items()}
    elif row["kind"] == "epoch":
        tagged = {"epoch/loss": row["loss"]}
    else:
        metrics = row.get("metrics", {})
        tagged = {f"evaluation/{name}": value for name, value in metrics.items()}
    return {
        tag: float(value)
        for tag, value in tagged.items()
        if value is not None and math.isfinite(value)
    }


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(_finite(row), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN; null says the same."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
