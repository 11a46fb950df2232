"""What a kind of finding is."""

from dataclasses import dataclass
from typing import Literal

from toolkit.audit.options import AuditOptions

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

# Which of the rows that a finding names the lists in fixed/ leave out.
Drop = Literal["nothing", "rows", "repeats", "train rows", "query rows"]


@dataclass(frozen=True)
class Code:
    """One kind of finding.

    Attributes:
        name: ``<subject>.<what>``.
        severity: error: training or the numbers would be wrong. warning: worth a look. info: a
            fact that the toolkit deals with by itself.
        meaning: what was found.
        fix: what to do.
        option: the name of its threshold in `AuditOptions`.
        drop: which of the rows it names are left out of the lists in fixed/.
    """

    name: str
    severity: Severity
    meaning: str
    fix: str
    option: str | None = None
    drop: Drop = "nothing"

    @property
    def default(self) -> float | None:
        """The threshold when no configuration sets it."""
        if self.option is None:
            return None
        threshold: float = getattr(AuditOptions(), self.option)
        return threshold
