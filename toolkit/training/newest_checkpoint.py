"""The checkpoint that a run goes on from by itself: Train.resume_path=auto."""

import logging
from pathlib import Path

from toolkit.errors import WeightsError
from toolkit.storage import recover_directory
from toolkit.training.checkpoint import verified_position
from toolkit.training.keeper import BEST, LATEST

_LOG = logging.getLogger(__name__)


def newest_checkpoint(output: Path) -> Path | None:
    """Returns the folder of the checkpoint that was written last and is whole.

    That is ``latest``. Where it is torn (a disk that lost what it had confirmed, a copy that was
    cut short), the furthest of the others is taken, and the log says so.

    Args:
        output: folder of the run.

    Returns:
        None when there is no whole checkpoint.
    """
    for name in (LATEST, BEST):
        recover_directory(output / name)
    latest = _steps_of(output / LATEST)
    if latest is not None:
        return output / LATEST
    others = [output / BEST, *output.glob("epoch_*")]
    steps = {folder: _steps_of(folder) for folder in others if folder.is_dir()}
    whole = {folder: number for folder, number in steps.items() if number is not None}
    return max(whole, key=lambda folder: whole[folder]) if whole else None


def _steps_of(folder: Path) -> int | None:
    """Returns after how many updates a checkpoint is; None when there is none, or it is torn."""
    if not any(folder.glob(f"{folder.name}.*")):
        return None
    try:
        return verified_position(folder).step
    except WeightsError as error:
        _LOG.warning("%s is not whole and is passed over: %s", folder, error)
        return None
