"""A run whose features become all the same is stopped, and told why."""

import logging
from typing import Literal

from toolkit.errors import CollapsedError
from toolkit.training.learner import Listener, StepRecord

_LOG = logging.getLogger(__name__)


class CollapseWatch(Listener):
    """Looks at the spread of the vectors of every update.

    Args:
        limit: spread below which the vectors count as all the same, see
            `toolkit.selfsup.projection.spread`.
        steps: updates in a row below it that make a collapse.
        on_collapse: ``stop`` raises, ``warn`` says so once.
    """

    def __init__(self, limit: float, steps: int, on_collapse: Literal["stop", "warn"]) -> None:
        self._limit, self._steps, self._on_collapse = limit, steps, on_collapse
        self._below = 0

    def on_step(self, record: StepRecord) -> None:
        """Counts.

        Raises:
            CollapsedError: it has collapsed, and that is to stop it.
        """
        spread = record.parts.get("spread")
        if spread is None:
            return
        self._below = self._below + 1 if spread < self._limit else 0
        if self._below != self._steps:
            return
        message = (
            f"The features have collapsed: in the last {self._steps} updates up to step "
            f"{record.position.step} the vectors of a batch were nearly all the same (spread "
            f"{spread:.4f}, below {self._limit:g}), so the loss of {record.loss:.4f} says nothing. "
            "Lower Train.learning_rate, raise the momentum or the temperature of SelfSup.method, "
            "make the views differ more, or start from weights (SelfSup.use_pretrained). "
            "SelfSup.on_collapse=warn goes on all the same."
        )
        if self._on_collapse == "stop":
            raise CollapsedError(message)
        _LOG.warning("%s", message)
