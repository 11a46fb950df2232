"""Two runs beside each other: what is set differently, and whether the numbers differ for good."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toolkit.errors import RunError
from toolkit.evaluation.recorded_queries import CommonQueries, RecordedQuery, common_queries
from toolkit.evaluation.recorded_run import RecordedRun
from toolkit.metrics.bootstrap import PairedDifference, paired_difference
from toolkit.metrics.mcnemar import mcnemar_exact

_SIGNIFICANT = 0.05
# What a run is told to do beside training and evaluation says nothing of its numbers.
_COMPARED = (
    "Global", "Train", "Adapter", "Evaluate", "SelfSup", "Arch", "Loss", "Optimizer", "Data",
    "Metric",
)  # fmt: skip
_NOT_COMPARED = ("Global.mode", "Global.output", "Global.cache_dir")


@dataclass(frozen=True)
class SettingRow:
    """One setting that is not the same in all runs; a run that lacks it has None and no entry."""

    key: str
    values: list[Any]
    given: list[bool]


@dataclass(frozen=True)
class ClassChange:
    """One class of queries: how many are right first, in the one run and in the other."""

    label: str
    queries: int
    first: int
    second: int


@dataclass(frozen=True)
class QueryComparison:
    """The queries of two evaluations, in pairs.

    Attributes:
        first: name of the run that is compared with.
        second: name of the other.
        common: the pairs, and what was left out.
        recall1: change of recall@1 from the first to the second, with its 95% interval.
        precision: the same of the average precision, whose mean is mAP.
        p: of McNemar's exact test on recall@1.
        gained: pairs that only the second gets right, the worst before first.
        lost: pairs that only the first gets right, the worst after first.
        classes: the classes with a change, the largest first.
    """

    first: str
    second: str
    common: CommonQueries
    recall1: PairedDifference
    precision: PairedDifference
    p: float
    gained: list[tuple[RecordedQuery, RecordedQuery]]
    lost: list[tuple[RecordedQuery, RecordedQuery]]
    classes: list[ClassChange]

    @property
    def outcome(self) -> Literal["better", "worse", "borderline", "none"]:
        """What the queries say of the second run, by its recall@1.

        Borderline when only one of the interval and the test tells the runs apart.
        """
        by_interval = self.recall1.low > 0 or self.recall1.high < 0
        by_test = self.p < _SIGNIFICANT
        if by_interval and by_test:
            return "better" if self.recall1.mean > 0 else "worse"
        return "borderline" if by_interval or by_test else "none"

    def verdict(self) -> str:
        """Says in words what the difference is worth."""
        change, number = self.recall1, len(self.common.pairs)
        numbers = (
            f"recall@1 {points(change.mean)} points, 95% interval {points(change.low)} to "
            f"{points(change.high)}, p = {_probability(self.p)} (McNemar)"
        )
        counts = (
            f"Of {number:,} common queries {len(self.gained)} are right only in {self.second} and "
            f"{len(self.lost)} only in {self.first}"
        )
        meaning = {
            "better": f"{self.second} finds more than {self.first}",
            "worse": f"{self.second} finds less than {self.first}",
            "borderline": f"{self.second} and {self.first} can hardly be told apart",
            "none": f"What stands first does not tell {self.second} and {self.first} apart",
        }
        return f"{meaning[self.outcome]}: {numbers}. {counts}. {self._of_rankings()}"

    def _of_rankings(self) -> str:
        """Says what mAP, which looks at whole rankings, tells of the two."""
        change = self.precision
        numbers = (
            f"mAP {points(change.mean)} points, 95% interval {points(change.low)} to "
            f"{points(change.high)}"
        )
        if change.low <= 0 <= change.high:
            return f"Whole rankings do not differ clearly: {numbers}."
        better, worse = (self.second, self.first) if change.mean > 0 else (self.first, self.second)
        return f"Over whole rankings {better} is ahead of {worse}: {numbers}."

    def notes(self) -> list[str]:
        """Says what the pairs leave out, and what makes them less comparable."""
        common, notes = self.common, []
        if common.only_first or common.only_second:
            notes.append(
                f"The query lists differ: only the {len(common.pairs):,} common queries are "
                f"compared; {common.only_first:,} are only in {self.first} and "
                f"{common.only_second:,} only in {self.second}."
            )
        if common.unmatched:
            notes.append(
                f"{common.unmatched:,} common queries have no picture of their class in a gallery, "
                "and are not compared."
            )
        if common.other_relevant:
            notes.append(
                f"The galleries differ: {common.other_relevant:,} queries have another number of "
                "matches. A larger gallery is a harder one."
            )
        return notes


def setting_differences(runs: Sequence[RecordedRun]) -> list[SettingRow]:
    """Lists the settings of training and evaluation that are not the same in all runs."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    rows = []
    for key in sorted(filter(_is_compared, keys), key=_place):
        given = [key in run.settings for run in runs]
        values = [run.settings.get(key) for run in runs]
        if all(given) and all(value == values[0] for value in values):
            continue
        # Null here and no such key there: of an older version, or a section that the other has,
        # whose own keys say it.
        if all(value is None or value == [] for value in values):
            continue
        rows.append(SettingRow(key, values, given))
    return rows


def compare_queries(
    first: RecordedRun, second: RecordedRun, rng: np.random.Generator, *, resamples: int
) -> QueryComparison | None:
    """Compares two runs query by query; None when one of them has no table of its queries.

    Args:
        first: the run that is compared with.
        second: the other.
        rng: draws the queries of the paired bootstrap.
        resamples: how often.

    Raises:
        RunError: they have no query in common.
    """
    if first.queries is None or second.queries is None:
        return None
    common = common_queries(first.queries, second.queries)
    if not common.pairs:
        raise _nothing_common(first, second)
    right = np.array([(one.right, other.right) for one, other in common.pairs], np.float64).T
    precision = np.array(
        [(one.average_precision, other.average_precision) for one, other in common.pairs]
    ).T
    gained = [pair for pair in common.pairs if pair[1].right and not pair[0].right]
    lost = [pair for pair in common.pairs if pair[0].right and not pair[1].right]
    return QueryComparison(
        first.name,
        second.name,
        common,
        paired_difference(right[0], right[1], rng, resamples=resamples),
        paired_difference(precision[0], precision[1], rng, resamples=resamples),
        mcnemar_exact(len(lost), len(gained)),
        sorted(gained, key=lambda pair: -pair[0].first_rank),
        sorted(lost, key=lambda pair: -pair[1].first_rank),
        _class_changes(common.pairs),
    )


def points(share: float) -> str:
    """Writes a difference of shares in points: +1.53."""
    return f"{100 * share:+.2f}"


def _probability(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _nothing_common(first: RecordedRun, second: RecordedRun) -> RunError:
    examples = [
        next((query.key[0] for query in run.queries or []), "none") for run in (first, second)
    ]
    return RunError(
        f"{first.folder} and {second.folder} have no query in common that has a match in both: the "
        f"first query is {examples[0]!r} in the one, {examples[1]!r} in the other. Evaluate both "
        "on the same lists."
    )


def _class_changes(pairs: Sequence[tuple[RecordedQuery, RecordedQuery]]) -> list[ClassChange]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one, other in pairs:
        count = counts[one.label]
        count[0] += 1
        count[1] += one.right
        count[2] += other.right
    changes = [ClassChange(label, *count) for label, count in counts.items()]
    changed = [change for change in changes if change.first != change.second]
    return sorted(changed, key=lambda change: -abs(change.second - change.first))


def _is_compared(key: str) -> bool:
    return key.split(".")[0] in _COMPARED and key not in _NOT_COMPARED


def _place(key: str) -> int:
    """Sections in the order of a file; keys stay as they come."""
    return _COMPARED.index(key.split(".")[0])
