"""What the doctor says: one finding is one occurrence and names its picture or its line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.audit.code import SEVERITIES, Severity
from toolkit.audit.codes import CODES

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_ORDER = {name: rank for rank, name in enumerate(CODES)}


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A row of a list: the list as it was opened, and the line number from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One occurrence of one code.

    Attributes:
        code: a name of `CODES`.
        severity: the code's severity.
        message: what was found, with the values.
        fix: what to do.
        split: the list it is about; two joined by ``+`` when it is about both.
        files: the pictures it is about, as the lists write them.
        lines: the rows it is about.
        label: the class it is about.
        value: what was measured.
        threshold: what the value was compared with.
    """

    code: str
    severity: Severity
    message: str
    fix: str
    split: str
    files: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    label: str | None = None
    value: float | None = None
    threshold: float | None = None

    def row(self) -> dict[str, Any]:
        """Returns the finding as a row of findings.jsonl."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "fix": self.fix,
            "split": self.split,
            "files": list(self.files),
            "lines": [{"file": line.file, "line": line.line} for line in self.lines],
            "label": self.label,
            "value": self.value,
            "threshold": self.threshold,
        }


def found(  # noqa: PLR0913  # the fields of a row of findings.jsonl, all but two optional
    code: str,
    message: str,
    *,
    split: str,
    files: Iterable[str] = (),
    lines: Iterable[Line] = (),
    label: str | None = None,
    value: float | None = None,
    threshold: float | None = None,
) -> Finding:
    """Makes a finding; severity and fix come from `CODES`."""
    kind = CODES[code]
    return Finding(
        code,
        kind.severity,
        message,
        kind.fix,
        split,
        tuple(files),
        tuple(lines),
        label or None,
        value,
        threshold,
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sorts findings by severity, then as `CODES` lists them, then by list and line."""
    return sorted(
        findings,
        key=lambda f: (_RANK[f.severity], _ORDER[f.code], f.split, f.lines, f.files, f.label or ""),
    )


def count(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Counts findings.

    Returns:
        ``{"severity": {"error": n, "warning": n, "info": n}, "code": {name: n}}``; the codes are
        those that occur, in the order of `CODES`.
    """
    by_severity = dict.fromkeys(SEVERITIES, 0)
    by_code = dict.fromkeys(CODES, 0)
    for finding in findings:
        by_severity[finding.severity] += 1
        by_code[finding.code] += 1
    return {
        "severity": {str(name): number for name, number in by_severity.items()},
        "code": {name: number for name, number in by_code.items() if number},
    }
