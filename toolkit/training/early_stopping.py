"""The end of a run that no longer gets better."""

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from toolkit.config.types import NonNegativeFloat, PositiveInt
from toolkit.errors import ConfigError, nearest

_LOG = logging.getLogger(__name__)


@dataclass
class EarlyStopping:
    """Counts the evaluations since the last one that was better.

    Args:
        metric: name of what is looked at; higher is better.
        patience: evaluations in a row without a better one that end the run.
        min_delta: by how much one must be above the best to count as better.
        best: the best value so far; None before the first.
        waited: evaluations since.
    """

    metric: str = "recall1"
    patience: PositiveInt = 5
    min_delta: NonNegativeFloat = 0.0
    best: float | None = None
    waited: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the patience has run out."""
        return self.waited >= self.patience

    def see(self, metrics: Mapping[str, float]) -> None:
        """Takes in an evaluation.

        Raises:
            ConfigError: it has no such metric.
        """
        if self.metric not in metrics:
            raise ConfigError(
                f"Train.early_stopping.metric is {self.metric!r}.{nearest(self.metric, metrics)} "
                f"The evaluation gives {', '.join(metrics)}."
            )
        value = metrics[self.metric]
        better = self.best is None or value > self.best + self.min_delta
        if better and math.isfinite(value):
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.is_over:
            _LOG.info(
                "%s was not better than %s in the last %d evaluations: the run ends here "
                "(Train.early_stopping).",
                *(self.metric, "any number" if self.best is None else f"{self.best:.4f}"),
                self.waited,
            )

    def state(self) -> dict[str, float | int | None]:
        """Returns what a checkpoint keeps of it."""
        return {key: value for key, value in asdict(self).items() if key in ("best", "waited")}
