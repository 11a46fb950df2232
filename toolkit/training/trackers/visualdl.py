"""VisualDL's records: vdlrecords.<time>.log in the output folder, as PaddleX writes them."""

from collections.abc import Mapping
from typing import ClassVar

from toolkit.errors import import_optional
from toolkit.training.trackers.tracker import TrackedRun


class VisualDL:
    """Scalars for ``visualdl --logdir <output>``.

    VisualDL reads the newest file of a folder and no other. So a run that goes on writes one that
    begins at the beginning.
    """

    package: ClassVar[str] = "visualdl"
    replays: ClassVar[bool] = True

    def __init__(self, run: TrackedRun) -> None:
        module = import_optional("visualdl", purpose="The tracker visualdl")
        for file in run.folder.glob("vdlrecords.*.log"):
            file.unlink()
        self._writer = module.LogWriter(logdir=str(run.folder))

    def write(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Writes scalars; VisualDL counts time in milliseconds."""
        for tag, value in values.items():
            self._writer.add_scalar(tag=tag, value=value, step=step, walltime=round(at * 1000))

    def close(self, *, finished: bool) -> None:  # noqa: ARG002
        """Closes the file."""
        self._writer.close()
