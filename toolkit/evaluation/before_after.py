"""One gallery and one list of queries, measured before and after a change of the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.evaluation.recall_change import RecallChange, recall_change
from toolkit.evaluation.retrieval_result import RetrievalResult

_SHOWN = ("recall1", "recall5", "mAP")


@dataclass(frozen=True)
class BeforeAfter:
    """Two evaluations side by side.

    Attributes:
        before: of the model as it was.
        after: of the model as it is.
        change: of recall@1, from the queries in pairs.
    """

    before: RetrievalResult
    after: RetrievalResult
    change: RecallChange

    @classmethod
    def of(
        cls, before: RetrievalResult, after: RetrievalResult, rng: np.random.Generator
    ) -> "BeforeAfter":
        """Compares two evaluations of the same lists; see `recall_change`."""
        return cls(before, after, recall_change(before, after, rng))

    def to_json(self) -> dict[str, Any]:
        """Returns both as plain JSON types, with the change."""
        return {
            name: {
                "metrics": dict(result.metrics),
                "intervals": {key: list(pair) for key, pair in result.intervals.items()},
            }
            for name, result in (("before", self.before), ("after", self.after))
        } | self.change.to_json()

    def summary_lines(self) -> list[str]:
        """Returns a table with 95% intervals, and whether the change means anything."""
        lines = [f"  {'':10}{'before':>30}{'after':>30}"]
        for name in _SHOWN:
            if name in self.before.metrics and name in self.after.metrics:
                cells = (_cell(result, name) for result in (self.before, self.after))
                lines.append(f"  {name:10}" + "".join(f"{cell:>30}" for cell in cells))
        return [*lines, f"  {self.change.summary()}"]


def _cell(result: RetrievalResult, name: str) -> str:
    value = f"{result.metrics[name]:.4f}"
    if name not in result.intervals:
        return value
    low, high = result.intervals[name]
    return f"{value} ({low:.4f} to {high:.4f})"
