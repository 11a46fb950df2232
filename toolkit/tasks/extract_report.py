"""What an extraction did, for a person and for a file."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from toolkit.extraction.merge import Merged
from toolkit.extraction.timing import STAGES
from toolkit.extraction.worker import ShardReport


@dataclass
class Tally:
    """The sums of the reports of all shards.

    Attributes:
        rows: done.
        reused: of these, taken from an earlier output.
        failed: of these, without a feature.
        stages: seconds by stage, summed over the threads of all workers.
    """

    rows: int = 0
    reused: int = 0
    failed: int = 0
    stages: Counter[str] = field(default_factory=Counter)

    def add(self, report: ShardReport) -> None:
        """Adds a shard."""
        self.rows += report.piece.count
        self.reused += report.reused
        self.failed += sum(report.causes.values())
        self.stages.update(report.seconds)


@dataclass(frozen=True)
class ExtractReport:
    """The outcome of an extraction.

    Attributes:
        model_name: what computed the features.
        merged: rows, failures and files.
        tally: what this run did; a run before it, that was killed, may have done the rest.
        seconds: from the first picture to the last.
        max_error_rate: share of failed rows above which the run has not passed.
    """

    model_name: str
    merged: Merged
    tally: Tally
    seconds: float
    max_error_rate: float

    @property
    def computed(self) -> int:
        """Rows that this run computed, those that failed among them."""
        return self.tally.rows - self.tally.reused

    @property
    def reused(self) -> int:
        """Rows that were taken from an earlier output."""
        return self.tally.reused

    @property
    def failed(self) -> int:
        """How many rows have no feature."""
        return sum(self.merged.causes.values())

    @property
    def passed(self) -> bool:
        """False when every row failed, or more than were allowed; no rows are no failure."""
        rows = self.merged.rows
        return not rows or (self.failed < rows and self.failed / rows <= self.max_error_rate)

    def to_json(self) -> dict[str, Any]:
        """Returns the counts, the times and the files."""
        return {
            "model_name": self.model_name,
            "rows": self.merged.rows,
            "features": self.merged.rows - self.failed,
            "length": self.merged.length,
            "failures": self.merged.causes,
            "computed": self.computed,
            "reused": self.reused,
            "seconds": round(self.seconds, 3),
            "stage_seconds": {stage: round(spent, 3) for stage, spent in self.tally.stages.items()},
            "files": [str(file) for file in self.merged.files],
        }

    def summary(self) -> str:
        """Returns a small table, the first failures and the files."""
        rate = self.computed / max(self.seconds, 1e-9)
        length = f"{self.merged.length:,}" if self.merged.length else "as many as a picture has"
        lines = [
            f"Features of {self.merged.rows - self.failed} of {self.merged.rows} pictures, "
            f"{length} numbers each, by {self.model_name}.",
            f"  computed    {self.computed:>10} in {self.seconds:.1f} s ({rate:.1f} images/s)",
        ]
        if self.reused:
            lines.append(f"  kept        {self.reused:>10}")
        lines += [f"  {cause:<12}{count:>10} failed" for cause, count in _most(self.merged.causes)]
        spent = ", ".join(f"{stage} {self.tally.stages.get(stage, 0):.1f} s" for stage in STAGES)
        lines.append(f"  time of all threads: {spent}")
        lines += [f"  {reason}" for reason in self.merged.reasons]
        if not self.passed:
            lines.append(f"More than {self.max_error_rate:.0%} or all of the pictures failed.")
        return "\n".join([*lines, *(f"  {file}" for file in self.merged.files)])


def _most(causes: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(causes.items(), key=lambda pair: -pair[1])
