"""Checkpoints: a folder with everything that going on with a run needs, whole or not there.

    <folder>/<prefix>.pdparams    the raw weights
                     .pdema       the averaged weights, when there are any
                     .pdopt       the optimizer, by structured names
                     .pdstates    position, best score, seed, loss parameters; and the digests of
                                  the files above, so that files of two checkpoints are never mixed
                     .info.json   metric and epoch, for people and for PaddleX

The folder is written under another name and then takes the place of the old one.
"""

import errno
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.cards.weights import read_state, read_weights, write_state
from toolkit.errors import StorageError, WeightsError
from toolkit.fingerprint import sha256_file
from toolkit.storage import atomic_directory, recover_directory, write_json
from toolkit.training.learner import Learner, Position, state_arrays
from toolkit.training.precision import LossScaler
from toolkit.training.weight_loading import apply_weights

FORMAT_VERSION = 1
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Best:
    """The best evaluation of a run so far.

    Attributes:
        epoch: when it was.
        score: the metric that decides, higher is better.
        metrics: all metrics of that evaluation.
    """

    epoch: int
    score: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class RunState:
    """What a checkpoint knows of its run beside the weights.

    Attributes:
        position: where the run goes on.
        epoch: the epoch that the checkpoint is of.
        seed: of all randomness; every generator follows from it and the position.
        metric: the score of these weights; None when they were not evaluated.
        best: the best evaluation so far; None when there was none.
        early_stopping: best value and how long it was waited for a better one; None without.
    """

    position: Position
    epoch: int
    seed: int
    metric: float | None = None
    best: Best | None = None
    early_stopping: dict[str, Any] | None = None


def save_checkpoint(
    folder: Path,
    prefix: str,
    learner: Learner,
    state: RunState,
    *,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Writes a checkpoint in place of what the folder held, including things beside it.

    Args:
        folder: such as ``output/latest``.
        prefix: the stem of the files, such as ``latest``.
        learner: what is saved.
        state: how far it has come.
        finish: called with the folder while it is still under its temporary name, to add files
            that belong to these weights (an exported model).

    Raises:
        StorageError: the disk is full; what the folder held is as it was.
    """
    with _room_for(folder, state), atomic_directory(folder) as temporary:
        states: dict[str, Callable[[], Mapping[str, Any]]] = {
            ".pdparams": lambda: state_arrays(learner.model)
        }
        if learner.average is not None:
            states[".pdema"] = learner.average.weights
        states[".pdopt"] = learner.optimizer.state
        # One after the other: what is written is a copy, and a large head leaves room for few.
        for suffix, state_of in states.items():
            write_state(temporary / f"{prefix}{suffix}", state_of())
        digests = {suffix: sha256_file(temporary / f"{prefix}{suffix}") for suffix in states}
        write_state(temporary / f"{prefix}.pdstates", _states(learner, state, digests))
        info = {
            "metric": state.metric,
            "epoch": state.epoch,
            "step": state.position.step,
            "format_version": FORMAT_VERSION,
            "fingerprint": digests.get(".pdema", digests[".pdparams"])[:16],
        }
        write_json(temporary / f"{prefix}.info.json", info)
        if finish is not None:
            finish(temporary)


@contextmanager
def _room_for(folder: Path, state: RunState) -> Iterator[None]:
    """Says what became of a checkpoint that there was no room for."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_IS_FULL:
            raise
        free = shutil.disk_usage(folder.parent).free / 2**20
        raise StorageError(
            f"The checkpoint {folder} of step {state.position.step} was not written: "
            f"{error.strerror} ({free:.0f} MiB are free). The checkpoints before it are whole. "
            "Make room, or keep fewer with Train.keep_last, and go on with Train.resume_path=auto."
        ) from error


def find_checkpoint(path: Path | str) -> Path:
    """Returns the `.pdparams` file of a checkpoint, whole again if a killed process left it aside.

    Args:
        path: its `.pdparams` file, the same without suffix, or the folder.

    Raises:
        WeightsError: there is no checkpoint.
    """
    given = Path(path)
    for folder in (given.absolute(), given.absolute().parent):
        if folder.name:
            recover_directory(folder)
    if given.is_dir():
        given = given / given.name
    stem = given.with_suffix("") if given.suffix == ".pdparams" else given
    for suffix in (".pdparams", ".pdopt", ".pdstates"):
        file = stem.with_name(stem.name + suffix)
        if not file.is_file():
            raise WeightsError(
                f"Cannot resume from {path}: {file} is missing. A checkpoint needs .pdparams, "
                f".pdopt and .pdstates; to start from weights alone use Train.pretrain_weight_path."
            )
    return stem.with_name(stem.name + ".pdparams")


def load_checkpoint(path: Path | str, learner: Learner) -> RunState:
    """Puts a run back to where a checkpoint left it.

    Args:
        path: as for `find_checkpoint`.
        learner: built as it was when the checkpoint was written; changed in place.

    Raises:
        WeightsError: the set is not whole, or does not fit what was built.
    """
    file = find_checkpoint(path)
    states = verified_states(file)
    apply_weights(learner.model, read_weights(file), may_differ=())
    _load_loss(learner, states["loss"])
    learner.optimizer.load_state(read_state(file.with_suffix(".pdopt")))
    _load_average(learner, file, states)
    _load_loss_scale(learner, states.get("loss_scale"))
    best = states["best"]
    return RunState(
        position=Position(**states["position"]),
        epoch=states["epoch"],
        seed=states["generators"]["seed"],
        metric=states["metric"],
        best=None if best is None else Best(**best),
        early_stopping=states.get("early_stopping"),
    )


def verified_position(path: Path | str) -> Position:
    """Returns where a checkpoint stands, after comparing its files with their digests.

    Raises:
        WeightsError: it is not whole.
    """
    states = verified_states(find_checkpoint(path))
    return Position(**states["position"])


def verified_states(file: Path) -> dict[Any, Any]:
    """Returns what a checkpoint has beside arrays of weights, after comparing its digests.

    Args:
        file: its `.pdparams` file.

    Raises:
        WeightsError: it is not whole, or of another program.
    """
    states_file = file.with_suffix(".pdstates")
    states = read_state(states_file)
    if states.get("format_version") != FORMAT_VERSION:
        raise WeightsError(
            f"{states_file} has format version {states.get('format_version')!r}; this toolkit "
            f"writes and resumes {FORMAT_VERSION}. A checkpoint of PaddleClas or PaddleX cannot be "
            f"resumed: start from its weights with Train.pretrain_weight_path."
        )
    for suffix, digest in states["sha256"].items():
        part = file.with_suffix(suffix)
        if not part.is_file() or sha256_file(part) != digest:
            problem = "was changed or is of another checkpoint" if part.is_file() else "is missing"
            raise WeightsError(
                f"Cannot resume: {part} {problem}. The files of a checkpoint belong together; "
                f"resume from another one, such as an epoch_N folder."
            )
    return states


def _states(learner: Learner, state: RunState, digests: Mapping[str, str]) -> dict[str, Any]:
    average, scaler = learner.average, learner.precision.scaler
    return {
        "format_version": FORMAT_VERSION,
        "metric": state.metric,
        "epoch": state.epoch,
        "position": asdict(state.position),
        "best": None if state.best is None else asdict(state.best),
        "generators": {"seed": state.seed},
        "early_stopping": state.early_stopping,
        "average": None if average is None else {"num_updates": average.num_updates},
        "loss_scale": None if scaler is None else asdict(scaler),
        "loss": state_arrays(learner.loss),
        "sha256": dict(digests),
    }


def _load_loss(learner: Learner, arrays: Mapping[str, Any]) -> None:
    try:
        apply_weights(learner.loss, arrays, may_differ=())
    except WeightsError as error:
        raise WeightsError(f"The parameters of the loss: {error}") from error


def _load_average(learner: Learner, file: Path, states: Mapping[str, Any]) -> None:
    if (learner.average is None) != (states["average"] is None):
        has = "has no" if states["average"] is None else "has"
        raise WeightsError(
            f"The checkpoint {has} averaged weights and Train.ema_decay says otherwise. Resume "
            f"with the setting that the run began with."
        )
    if learner.average is not None:
        average = read_weights(file.with_suffix(".pdema"))
        learner.average.load(average, states["average"]["num_updates"])


def _load_loss_scale(learner: Learner, scale: Mapping[str, Any] | None) -> None:
    """A run that goes on in another precision begins with a scale of its own, or needs none."""
    if learner.precision.scaler is not None and scale is not None:
        learner.precision.scaler = LossScaler(**scale)
