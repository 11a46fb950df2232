"""What a tracker is, and what it is told of the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from toolkit.storage import read_json, write_json

IDS_FILE = "trackers.json"
_FORMAT = 1


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker writes about.

    Attributes:
        folder: its output.
        name: of the model.
        settings: the configuration, dotted key -> plain value.
        resumed_step: the update that it goes on after; None for a new run.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    resumed_step: int | None = None

    def earlier_id(self, tracker: str) -> str | None:
        """Returns the name that a service gave the run that goes on; None when it is a new one."""
        file = self.folder / IDS_FILE
        if self.resumed_step is None or not file.is_file():
            return None
        found = read_json(file).get(tracker)
        return None if found is None else str(found)

    def keep_id(self, tracker: str, given: str) -> None:
        """Keeps the name that a service gave this run, for when it is resumed."""
        file = self.folder / IDS_FILE
        known = read_json(file) if file.is_file() else {"format": _FORMAT}
        write_json(file, {**known, tracker: given})


class Tracker(Protocol):
    """Takes the numbers of a run as they come.

    What it raises ends its own work and not the training: `RunLog` sees to that.

    Attributes:
        package: what it needs to import.
        replays: whether a run that goes on tells it all that the log holds of before; otherwise it
            goes on from what it wrote then.
    """

    package: ClassVar[str]
    replays: ClassVar[bool]

    def write(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Takes some numbers of one update.

        Args:
            step: the update, from 1.
            values: tag -> finite number, such as ``train/loss``.
            at: when, in seconds since 1970.
        """

    def close(self, *, finished: bool) -> None:
        """Is called once, at the end; `finished` is False when the training failed."""
