"""What processes do together at the end of an epoch, of which the first one keeps checkpoints."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

from paddle import nn

from toolkit.models.heads.class_table import whole_tables
from toolkit.training.keeper import KeepPlan
from toolkit.training.learner import EpochRecord, Learner, Listener, Position, StepRecord


class EvaluationPartner(Listener):
    """Takes part in the evaluations of the `CheckpointKeeper` in the first process.

    Args:
        learner: what is evaluated.
        plan: when; the keeper's.
        evaluate: the keeper's; every process has to call it.
    """

    def __init__(
        self,
        learner: Learner,
        plan: KeepPlan,
        evaluate: Callable[[], Mapping[str, float]] | None,
    ) -> None:
        self._learner, self._plan, self._evaluate = learner, plan, evaluate

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Evaluates when the keeper does."""
        if self._evaluate is not None and self._plan.evaluates(record):
            with self._learner.best_weights():
                self._evaluate()


class WholeAtSaves(Listener):
    """Lets a listener see tables whole, that are divided among processes, whenever it may save.

    What it saves is then what one process would save. Every process needs one.

    Args:
        model: the network that may have tables.
        plan: when the keeper saves.
        listener: who sees it so.
    """

    def __init__(self, model: nn.Layer, plan: KeepPlan, listener: Listener) -> None:
        self._model, self._plan, self._listener = model, plan, listener

    def on_step(self, record: StepRecord) -> None:
        """Passes it on; with whole tables where the keeper saves."""
        with whole_tables(self._model) if self._plan.saves_after(record) else nullcontext():
            self._listener.on_step(record)

    def on_stop(self, position: Position) -> None:
        """Passes it on, with whole tables."""
        with whole_tables(self._model):
            self._listener.on_stop(position)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Passes it on, with whole tables."""
        with whole_tables(self._model):
            self._listener.on_epoch_end(record)
