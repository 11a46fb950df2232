"""A run that starts anew in a folder that holds an earlier one: the two are never mixed.

What the earlier run left is moved, whole, into ``previous_run_<n>``; nothing is deleted, and its
checkpoints can be resumed, evaluated and exported from there.
"""

import logging
import re
import shutil
from pathlib import Path

from toolkit.reports.run_rows import FILE_NAME
from toolkit.training.keeper import BEST, LATEST
from toolkit.training.trackers.tensorboard import FOLDER as TENSORBOARD
from toolkit.training.trackers.tracker import IDS_FILE

_LOG = logging.getLogger(__name__)
_CHECKPOINT = rf"(?:{BEST}|{LATEST}|epoch_\d+)"
_TRACKED = rf"(?:vdlrecords\..*\.log|{TENSORBOARD}|{re.escape(IDS_FILE)})"
# What a run writes beside its checkpoints and would be taken for that of the next one. config.yaml
# is that of the new run already, and train.log goes on.
_FILES = (
    *(FILE_NAME, "train_result.json", "label_order.json", "extended_classes.json"),
    *("loss_curve.png", "recall_curve.png"),
)
# What `storage.atomic_directory` leaves behind when its process is killed.
_ABANDONED = re.compile(rf"\.{_CHECKPOINT}\.[0-9a-f]{{12}}\.tmp")


def clear_for_run(output: Path, *, resumed_from: Path | None = None) -> Path | None:
    """Makes an output folder ready: half-written checkpoints go, an earlier run is set aside.

    Args:
        output: folder of the run that is about to start.
        resumed_from: checkpoint that the run goes on from. One of this folder means that the run
            in it is the one that goes on; it stays.

    Returns:
        Where the earlier run is now; None when there was none.
    """
    if not output.is_dir():
        return None
    entries = sorted(output.iterdir())
    for entry in entries:
        if _ABANDONED.fullmatch(entry.name):
            shutil.rmtree(entry, ignore_errors=True)
    if resumed_from is not None and _is_within(resumed_from, output):
        # It says that the run is done, which it is no longer.
        (output / "train_result.json").unlink(missing_ok=True)
        return None
    checkpoints = [entry for entry in entries if re.fullmatch(_CHECKPOINT, entry.name)]
    figures = [
        entry for entry in entries if entry.name in _FILES or re.fullmatch(_TRACKED, entry.name)
    ]
    if not any(entry.is_dir() for entry in checkpoints):
        # A run that came to no checkpoint: its figures would be taken for those of the new one.
        for entry in figures:
            _remove(entry)
        return None
    folder = _free_name(output)
    folder.mkdir()
    for entry in (*checkpoints, *figures):
        entry.replace(folder / entry.name)
    _LOG.warning("%s holds an earlier run; it was moved to %s.", output, folder)
    return folder


def _is_within(checkpoint: Path, output: Path) -> bool:
    """Tells whether a checkpoint, given as a folder or as a file in it, is one of the output's."""
    given = checkpoint.absolute()
    return output.absolute() in (given.parent, given.parent.parent)


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink()


def _free_name(output: Path) -> Path:
    number = 1
    while (output / f"previous_run_{number}").exists():
        number += 1
    return output / f"previous_run_{number}"
