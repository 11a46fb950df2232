"""Findings as JUnit XML, which every CI system can show as tests.

Each check is a test case: one that found nothing passes, and each occurrence of a finding is a case
of its own that failed, or that passed with its text as output when its severity does not fail.

Source: the JUnit schema of Jenkins' xUnit plugin (testsuites, testsuite, testcase, failure).
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from typing import Any

# What XML 1.0 cannot hold at all, not even escaped (section 2.2).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(
    rows: Sequence[Mapping[str, Any]], checks: Sequence[str], failing: Collection[str]
) -> str:
    """Writes findings as test cases.

    Args:
        rows: findings, as rows of findings.jsonl.
        checks: every code there is; those without a finding become passed cases.
        failing: the severities that count as failed.

    Returns:
        The XML document.
    """
    occurred = {row["code"] for row in rows}
    failures = sum(row["severity"] in failing for row in rows)
    passed = [code for code in checks if code not in occurred]
    totals = {"tests": str(len(rows) + len(passed)), "failures": str(failures), "errors": "0"}
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(root, "testsuite", {"name": "check_dataset", **totals, "skipped": "0"})
    for code in passed:
        ET.SubElement(suite, "testcase", {"classname": f"check_dataset.{code}", "name": code})
    for row in rows:
        _add_case(suite, row, failing)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _add_case(suite: ET.Element, row: Mapping[str, Any], failing: Collection[str]) -> None:
    place = row["lines"][0] if row["lines"] else None
    where = f"{place['file']}:{place['line']}" if place else row["split"]
    attributes = {"classname": f"check_dataset.{row['code']}", "name": f"{row['code']} {where}"}
    if place:
        attributes |= {"file": place["file"], "line": str(place["line"])}
    case = ET.SubElement(suite, "testcase", {k: _legal(v) for k, v in attributes.items()})
    text = "\n".join([row["message"], f"What to do: {row['fix']}"])
    if row["severity"] in failing:
        failure = {"type": row["code"], "message": _legal(row["message"])}
        ET.SubElement(case, "failure", failure).text = _legal(text)
    else:
        ET.SubElement(case, "system-out").text = _legal(f"{row['severity']}: {text}")


def _legal(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
