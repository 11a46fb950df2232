"""What learning new classes costs the old ones: recall@1 of both, before and after."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.storage import read_json, write_json

FILE = "extended_classes.json"
Recalls = dict[str, float | None]


@dataclass
class ClassRecalls:
    """The two measurements of one run; the first outlives a kill in a file of the output folder.

    Args:
        output: folder of the run.
        measure: gives recall@1 of ``old`` and ``new`` classes with the network as it stands.

    Attributes:
        before: what the network reached with the new classes' rows just set.
        after: what it reached when the run ended; empty before.
    """

    output: Path
    measure: Callable[[], Recalls]
    before: Recalls = field(default_factory=dict)
    after: Recalls = field(default_factory=dict)

    def begin(self, *, goes_on: bool) -> None:
        """Measures at the start of a run; one that goes on reads what was measured then."""
        file = self.output / FILE
        if goes_on and file.is_file():
            self.before = read_json(file)["before"]
        elif not goes_on:
            self.before = self.measure()
            write_json(file, {"format_version": 1, "before": self.before})

    def end(self) -> None:
        """Measures at the end of a run."""
        self.after = self.measure()

    def to_json(self) -> dict[str, Any]:
        """Returns both."""
        return {"recall1_before": self.before, "recall1_after": self.after}

    def summary_lines(self) -> list[str]:
        """Returns one line for each group of classes."""
        lines = []
        for group in ("old", "new"):
            shown = [_shown(recalls.get(group)) for recalls in (self.before, self.after)]
            lines.append(f"{group} classes: recall@1 {shown[0]} before, {shown[1]} after")
        return lines


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
