"""What every task returns."""

from dataclasses import dataclass
from typing import Any, Protocol


class Report(Protocol):
    """The outcome of a task, as data; each task has its own dataclass with more on it."""

    @property
    def passed(self) -> bool:
        """False when the task did its work and the outcome is not good enough: exit code 1."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Returns the content of ``<output>/<mode>_result.json`` below ``done_flag``."""
        ...

    def summary(self) -> str:
        """Returns a few lines for a person: the numbers, and the paths of what was written."""
        ...


@dataclass(frozen=True)
class HelperReport:
    """What a process returns that helped the first one of its group, which reports for all."""

    passed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Returns nothing."""
        return {}

    def summary(self) -> str:
        """Returns nothing."""
        return ""
