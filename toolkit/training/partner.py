"""What a process does at the end of an epoch when another one keeps the checkpoints."""

from collections.abc import Callable, Mapping

from toolkit.training.keeper import KeepPlan
from toolkit.training.learner import EpochRecord, Learner, Listener


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
