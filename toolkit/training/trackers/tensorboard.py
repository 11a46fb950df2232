"""TensorBoard's event files, written without TensorFlow and without PyTorch."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from toolkit.errors import import_optional
from toolkit.training.trackers.tracker import TrackedRun

FOLDER = "tensorboard"


class TensorBoard:
    """Scalars for ``tensorboard --logdir <output>``.

    Args:
        run: what is tracked.
        folder: where the files go; null is ``tensorboard`` in the output folder.
    """

    package: ClassVar[str] = "tensorboard"
    replays: ClassVar[bool] = False

    def __init__(self, run: TrackedRun, folder: str | None = None) -> None:
        self._events = _part("compat.proto.event_pb2")
        self._summaries = _part("compat.proto.summary_pb2")
        writer = _part("summary.writer.event_file_writer")
        place = run.folder / FOLDER if folder is None else Path(folder)
        self._writer = writer.EventFileWriter(str(place))
        if run.resumed_step is not None:
            # Makes TensorBoard forget what an earlier process wrote from this step on.
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            step, now = run.resumed_step + 1, time.time()
            event = self._events.Event(step=step, wall_time=now, session_log=start)
            self._writer.add_event(event)

    def write(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Writes one event with all scalars."""
        value = self._summaries.Summary.Value
        summary = self._summaries.Summary(
            value=[value(tag=tag, simple_value=number) for tag, number in values.items()]
        )
        self._writer.add_event(self._events.Event(step=step, wall_time=at, summary=summary))

    def close(self, *, finished: bool) -> None:  # noqa: ARG002
        """Closes the file."""
        self._writer.close()


def _part(name: str) -> Any:
    return import_optional(f"tensorboard.{name}", purpose="The tracker tensorboard")
