"""Findings as workflow commands of GitHub Actions, which marks the lines of the lists with them.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions and the
escaping of actions/toolkit, packages/core/src/command.ts.
"""

from collections.abc import Mapping
from typing import Any

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def annotation(row: Mapping[str, Any]) -> str:
    """Returns the command for one finding, without a line end.

    Args:
        row: a finding, as a row of findings.jsonl.
    """
    properties = {"title": row["code"]}
    if row["lines"]:
        first = row["lines"][0]
        properties = {"file": first["file"], "line": str(first["line"]), **properties}
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[row['severity']]} {listed}::{_data(row['message'] + ' ' + row['fix'])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
