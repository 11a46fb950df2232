"""Which checkpoints a run leaves behind: latest, epoch_N and best_model.

Best is the highest score; a tie goes to the newer one, and NaN never wins. Without evaluation the
best model is the last epoch, and the result says so.
"""

import logging
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from toolkit.cards.weights import read_weights
from toolkit.storage import atomic_directory, read_json, recover_directory
from toolkit.training.checkpoint import Best, RunState, save_checkpoint
from toolkit.training.early_stopping import EarlyStopping
from toolkit.training.ema import borrowed_weights
from toolkit.training.learner import EpochRecord, Learner, Listener, Position, StepRecord
from toolkit.training.run_log import RunLog

_LOGGER = logging.getLogger(__name__)
LATEST, BEST = "latest", "best_model"
INFERENCE = "inference"


@dataclass(frozen=True)
class KeepPlan:
    """What to keep, and how often.

    Attributes:
        eval_interval: epochs between two evaluations; the last epoch is always evaluated.
        save_interval: epochs between two epoch_N checkpoints.
        save_steps: updates between two saves of latest within an epoch; None saves it at ends.
        keep_last: how many epoch_N checkpoints stay; None keeps all.
        metric: the metric that decides which model is best.
        export_each_save: export with every checkpoint, as PaddleX; otherwise `finish` exports
            latest and best_model once.
        export_numbered: export with every epoch_N checkpoint.
    """

    eval_interval: int = 1
    save_interval: int = 1
    save_steps: int | None = None
    keep_last: int | None = None
    metric: str = "recall1"
    export_each_save: bool = False
    export_numbered: bool = False

    def evaluates(self, record: EpochRecord) -> bool:
        """Tells whether it is time to evaluate."""
        return record.epoch % self.eval_interval == 0 or record.last

    def saves_after(self, record: StepRecord) -> bool:
        """Tells whether it is time to save within an epoch."""
        return self.save_steps is not None and record.position.step % self.save_steps == 0


@dataclass(frozen=True)
class Saved:
    """One checkpoint of a run: folder name, epoch, and score if it was evaluated."""

    prefix: str
    epoch: int
    metric: float | None


@dataclass(frozen=True)
class KeepResult:
    """What a run left behind.

    Attributes:
        best: the model to use: best_model.
        best_by: ``metric``, or ``last_epoch`` when no evaluation gave a number.
        best_metrics: all metrics of the best evaluation; empty without one.
        saved: the epoch_N checkpoints that are there, newest first.
    """

    best: Saved | None
    best_by: Literal["metric", "last_epoch"]
    best_metrics: dict[str, float]
    saved: list[Saved]


class CheckpointKeeper(Listener):
    """Evaluates and saves at the end of epochs.

    Args:
        output: folder of the run.
        learner: what is saved.
        plan: what to keep.
        seed: of the run.
        evaluate: gives the metrics of the model as it is; None to evaluate nothing.
        export: writes the model as it is, for inference, into an empty folder; None to export
            nothing.
        log: gets a row for every evaluation.
        early_stopping: is shown every evaluation.
    """

    def __init__(  # noqa: PLR0913 - what it keeps, and whom it asks and tells
        self,
        output: Path,
        learner: Learner,
        plan: KeepPlan,
        *,
        seed: int,
        evaluate: Callable[[], Mapping[str, float]] | None = None,
        export: Callable[[Path], None] | None = None,
        log: RunLog | None = None,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        self._output, self._learner, self._plan, self._seed = output, learner, plan, seed
        self._evaluate, self._export, self._log = evaluate, export, log
        self._early_stopping = early_stopping
        self._best: Best | None = None
        self._last: tuple[Position, int] | None = None
        for name in (LATEST, BEST):
            recover_directory(output / name)

    def resume(self, state: RunState) -> None:
        """Takes over the best score of the run that goes on, if its best model is in `output`.

        Where it goes on from is written as latest: a run that is killed at once begins there again.
        """
        if state.seed != self._seed:
            _LOGGER.warning(
                "The run began with seed %d and goes on with seed %d: it is not the run that an "
                "undisturbed one would have been.",
                *(state.seed, self._seed),
            )
        if state.best is not None and self._recover_best(state.best):
            self._best = state.best
        self._last = (state.position, state.epoch)
        if self._early_stopping is not None and state.early_stopping is not None:
            self._early_stopping = replace(self._early_stopping, **state.early_stopping)
        self._save(LATEST, self._state(state.position, state.epoch, state.metric))

    @property
    def is_done(self) -> bool:
        """Whether early stopping has seen enough."""
        return self._early_stopping is not None and self._early_stopping.is_over

    def on_step(self, record: StepRecord) -> None:
        """Saves within an epoch when it is time."""
        if self._plan.saves_after(record):
            self.on_stop(record.position)

    def on_stop(self, position: Position) -> None:
        """Saves latest where the run stands, if it is not there yet."""
        if self._last is not None and self._last[0] == position:
            return
        epoch = position.epoch if position.batch else position.epoch - 1
        self._last = (position, epoch)
        self._save(LATEST, self._state(position, epoch))

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Evaluates when it is time, and saves."""
        epoch, metric = record.epoch, None
        self._last = (record.position, epoch)
        is_best = False
        if self._evaluate is not None and self._plan.evaluates(record):
            metrics = self._measure(record)
            metric = _number(metrics.get(self._plan.metric))
            is_best = metric is not None and (self._best is None or metric >= self._best.score)
            if metric is not None and is_best:
                self._best = Best(epoch, metric, metrics)
        state = self._state(record.position, epoch, metric)
        # The best model first: a process killed in between then evaluates this epoch again.
        if is_best:
            self._save(BEST, state)
        if record.complete and epoch % self._plan.save_interval == 0:
            self._save(f"epoch_{epoch}", state)
            self._prune(epoch)
        self._save(LATEST, state)

    def finish(self) -> KeepResult:
        """Makes sure that there is a best model, and exports what is not exported yet."""
        last_epoch = 0
        if self._last is not None:
            position, last_epoch = self._last
            if self._best is None:
                _LOGGER.info("No evaluation chose a best model: best_model is the last epoch.")
                self._save(BEST, self._state(position, last_epoch))
        self.export()
        left = self.so_far()
        if self._best is None and self._last is not None:
            return replace(left, best=Saved(BEST, last_epoch, None))
        return left

    def so_far(self) -> KeepResult:
        """Returns what is there now, without adding to it."""
        best, last_epoch = self._best, self._last[1] if self._last is not None else 0
        return KeepResult(
            best=None if best is None else Saved(BEST, best.epoch, best.score),
            best_by="last_epoch" if best is None else "metric",
            best_metrics={} if best is None else dict(best.metrics),
            saved=[self._saved(number) for number in reversed(self._epochs(last_epoch))],
        )

    def export(self) -> None:
        """Exports latest and best_model, those of them that are there and not exported yet."""
        for name in (LATEST, BEST):
            self._export_later(self._output / name)

    def _recover_best(self, best: Best) -> bool:
        """Makes sure that best_model is what a checkpoint says it is.

        A run that goes on from an older checkpoint finds the best model of the epochs after it,
        which are about to be done again; its own may still be there as epoch_N.
        """
        own = f"epoch_{best.epoch}"
        if self._is_of(BEST, best):
            return True
        if not self._is_of(own, best):
            _LOGGER.warning(
                "%s holds no %s of epoch %d of the run that goes on; the best score starts anew.",
                *(self._output, BEST, best.epoch),
            )
            return False
        with atomic_directory(self._output / BEST) as temporary:
            for file in (self._output / own).glob(f"{own}.*"):
                shutil.copyfile(file, temporary / file.name.replace(own, BEST, 1))
        _LOGGER.info("%s is %s again, the best before the checkpoint.", BEST, own)
        return True

    def _is_of(self, prefix: str, best: Best) -> bool:
        """Tells whether a checkpoint folder holds the weights of an evaluation."""
        info = self._output / prefix / f"{prefix}.info.json"
        if not info.is_file():
            return False
        content = read_json(info)
        return bool((content["epoch"], content["metric"]) == (best.epoch, best.score))

    def _measure(self, record: EpochRecord) -> dict[str, float]:
        if self._evaluate is None:
            return {}
        with self._learner.best_weights():
            metrics = {name: float(value) for name, value in self._evaluate().items()}
        shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        _LOGGER.info("epoch %d evaluated: %s", record.epoch, shown)
        if self._log is not None:
            self._log.on_evaluation(record.epoch, record.position.step, metrics)
        if self._early_stopping is not None:
            self._early_stopping.see(metrics)
        return metrics

    def _state(self, position: Position, epoch: int, metric: float | None = None) -> RunState:
        watch = self._early_stopping
        waited = None if watch is None else watch.state()
        return RunState(position, epoch, self._seed, metric, self._best, waited)

    def _save(self, name: str, state: RunState) -> None:
        numbered = self._plan.export_numbered and name not in (LATEST, BEST)
        finish = self._export_now if self._plan.export_each_save or numbered else None
        save_checkpoint(self._output / name, name, self._learner, state, finish=finish)

    def _export_now(self, folder: Path) -> None:
        if self._export is not None:
            (folder / INFERENCE).mkdir()
            with self._learner.best_weights():
                self._export(folder / INFERENCE)

    def _export_later(self, folder: Path) -> None:
        """Exports the weights that a checkpoint holds, which need not be those of the model now."""
        stem = folder / folder.name
        if self._export is None or (folder / INFERENCE).exists() or not folder.is_dir():
            return
        averaged = stem.with_suffix(".pdema")
        weights = read_weights(averaged if averaged.is_file() else stem.with_suffix(".pdparams"))
        with (
            borrowed_weights(self._learner.model, weights),
            atomic_directory(folder / INFERENCE) as temporary,
        ):
            self._export(temporary)

    def _prune(self, epoch: int) -> None:
        """Deletes the oldest epoch_N; those beyond this epoch are of a run that was abandoned."""
        if self._plan.keep_last is None:
            return
        for number in self._epochs(epoch)[: -self._plan.keep_last]:
            shutil.rmtree(self._output / f"epoch_{number}")

    def _epochs(self, newest: int) -> list[int]:
        """The numbers of the epoch_N checkpoints, ascending, up to `newest`."""
        found = []
        for info in self._output.glob("epoch_*/epoch_*.info.json"):
            number = info.parent.name[len("epoch_") :]
            if number.isdecimal() and int(number) <= newest:
                found.append(int(number))
        return sorted(found)

    def _saved(self, epoch: int) -> Saved:
        prefix = f"epoch_{epoch}"
        info = read_json(self._output / prefix / f"{prefix}.info.json")
        return Saved(prefix, info["epoch"], info["metric"])


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
