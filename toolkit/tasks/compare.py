"""Mode compare: runs side by side, and whether their difference is more than chance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.schema import Config
from toolkit.errors import ConfigError
from toolkit.evaluation.comparison_report import (
    CAUTION,
    metric_names,
    write_comparison_report,
)
from toolkit.evaluation.recorded_run import RecordedRun, evaluate_command, read_run, run_names
from toolkit.evaluation.run_comparison import (
    QueryComparison,
    SettingRow,
    compare_queries,
    setting_differences,
)

_FOLDER = "compare"
_PRINTED_SETTINGS = 20


@dataclass(frozen=True)
class CompareReport:
    """The outcome of a comparison.

    Attributes:
        runs: what was compared, the one that the others are compared with first.
        settings: where their configurations differ.
        comparisons: (place of a run, from 0; how it compares with the first).
        notes: what a reader should know.
        page: the HTML report.
    """

    runs: list[RecordedRun]
    settings: list[SettingRow]
    comparisons: list[tuple[int, QueryComparison]]
    notes: list[str]
    page: Path

    @property
    def passed(self) -> bool:
        """A difference is neither right nor wrong."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns all numbers and verdicts, and where the pages are."""
        return {
            "runs": [
                {
                    "name": run.name,
                    "folder": str(run.folder),
                    "metrics": run.metrics,
                    "intervals": {name: list(ends) for name, ends in run.intervals.items()},
                    "facts": run.facts,
                }
                for run in self.runs
            ],
            "settings": [
                {"key": row.key, "values": row.values, "given": row.given} for row in self.settings
            ],
            "comparisons": [_comparison_json(one) for _, one in self.comparisons],
            "notes": self.notes,
            "report": f"{_FOLDER}/{self.page.name}",
            "changed_queries": f"{_FOLDER}/changed.csv",
        }

    def summary(self) -> str:
        """Returns the numbers, what is set differently, the verdicts, and where the page is."""
        width = max(12, *(len(run.name) for run in self.runs)) + 2
        lines = [f"{'':16}" + "".join(f"{run.name:>{width}}" for run in self.runs)]
        for name in metric_names(self.runs):
            cells = [_cell(run.metrics.get(name)) for run in self.runs]
            lines.append(f"{name:16}" + "".join(f"{cell:>{width}}" for cell in cells))
        lines.append(f"Settings that differ: {len(self.settings)}.")
        for row in self.settings[:_PRINTED_SETTINGS]:
            values = zip(row.values, row.given, strict=True)
            shown = " | ".join(str(value) if given else "-" for value, given in values)
            lines.append(f"  {row.key}: {shown}")
        if len(self.settings) > _PRINTED_SETTINGS:
            lines.append(f"  ... and {len(self.settings) - _PRINTED_SETTINGS} more in the report.")
        for _, one in self.comparisons:
            lines += [one.verdict(), *(f"  {note}" for note in one.notes())]
        changed = self.page.with_name("changed.csv")
        if self.comparisons:
            lines.append(CAUTION)
        return "\n".join([*lines, *self.notes, f"changed   {changed}", f"report    {self.page}"])


def run(config: Config) -> CompareReport:
    """Compares the runs that ``Compare.runs`` names, each with the first.

    Raises:
        ConfigError: fewer than two are named, or one twice.
        RunError: one is none, is not finished, or has no metrics; or two were evaluated on lists
            without a common query.
    """
    section = config.Compare
    folders = [Path(name) for name in section.runs]
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise ConfigError(
            f"Compare.runs names {section.runs}; expected two or more output folders, each once: "
            "-o Compare.runs=[output/a,output/b]"
        )
    names = section.names or run_names(folders)
    runs = [read_run(folder, name) for folder, name in zip(folders, names, strict=True)]
    rng = np.random.default_rng(config.Global.seed)
    comparisons, notes = [], [note for one in runs for note in one.notes]
    for place, other in enumerate(runs[1:], start=1):
        compared = compare_queries(runs[0], other, rng, resamples=section.resamples)
        if compared is None:
            notes.append(_not_compared(runs[0], other))
        else:
            comparisons.append((place, compared))
    settings = setting_differences(runs)
    output = Path(config.Global.output) / _FOLDER
    page = write_comparison_report(output, runs, settings, comparisons, notes, shown=section.shown)
    return CompareReport(runs, settings, comparisons, notes, page)


def _not_compared(first: RecordedRun, other: RecordedRun) -> str:
    without = [run for run in (first, other) if run.queries is None]
    commands = "; ".join(evaluate_command(run.folder) for run in without)
    return (
        f"{other.name} is not compared with {first.name} query by query: "
        f"{' and '.join(run.name for run in without)} has no results of single queries. Evaluate "
        f"it: {commands}"
    )


def _comparison_json(one: QueryComparison) -> dict[str, Any]:
    return {
        "first": one.first,
        "second": one.second,
        "queries": len(one.common.pairs),
        "only_in_first": one.common.only_first,
        "only_in_second": one.common.only_second,
        "recall1_change": one.recall1.mean,
        "recall1_change_interval": [one.recall1.low, one.recall1.high],
        "mAP_change": one.precision.mean,
        "mAP_change_interval": [one.precision.low, one.precision.high],
        "mcnemar_p": one.p,
        "gained": len(one.gained),
        "lost": len(one.lost),
        "outcome": one.outcome,
        "verdict": one.verdict(),
        "notes": one.notes(),
    }


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
