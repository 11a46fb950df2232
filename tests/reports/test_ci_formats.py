"""JUnit XML that parses, and annotations that GitHub reads back as they were meant."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from toolkit.reports.annotations import annotation
from toolkit.reports.junit import junit_xml


def row(code="image.missing", severity="error", message="gone", file="train.txt", line=3):
    return {
        "code": code,
        "severity": severity,
        "message": message,
        "fix": "Do this.",
        "split": "train",
        "files": ["a.png"],
        "lines": [{"file": file, "line": line}] if file else [],
        "label": None,
        "value": None,
        "threshold": None,
    }


def test_junit_counts_and_cases():
    rows = [row(), row(line=4), row("image.dark", "warning"), row("split.open_set", "info")]
    checks = ["image.missing", "image.dark", "image.light", "split.open_set"]
    root = ET.fromstring(junit_xml(rows, checks, failing=["error"]))  # noqa: S314  # ours
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures")) == ("5", "2")
    cases = suite.findall("testcase")
    assert len(cases) == 5
    assert [case.get("name") for case in cases if len(case) == 0] == ["image.light"]
    failure = cases[1].find("failure")
    assert (failure.get("type"), failure.get("message")) == ("image.missing", "gone")
    assert "Do this." in failure.text
    assert cases[3].find("failure") is None
    assert cases[3].findtext("system-out").startswith("warning: gone")


def test_junit_fails_what_the_gate_fails():
    rows = [row("image.dark", "warning")]
    assert 'failures="1"' in junit_xml(rows, ["image.dark"], failing=["error", "warning"])
    assert 'failures="0"' in junit_xml(rows, ["image.dark"], failing=[])


@given(st.text())
def test_junit_parses_whatever_a_name_holds(text):
    document = junit_xml([row(message=text, file=text or "f")], [], failing=["error"])
    ET.fromstring(document.encode("utf-8", "strict"))  # noqa: S314  # ours


def unescaped(text, *, is_property):
    pairs = [("%0D", "\r"), ("%0A", "\n")]
    pairs += [("%3A", ":"), ("%2C", ",")] if is_property else []
    for escaped, plain in [*pairs, ("%25", "%")]:
        text = text.replace(escaped, plain)
    return text


@given(st.text(), st.text(min_size=1))
def test_annotations_can_be_read_back(message, file):
    command = annotation(row(message=message, file=file))
    assert "\n" not in command
    assert "\r" not in command
    match = re.fullmatch(r"::error file=([^,]*),line=3,title=image\.missing::(.*)", command, re.S)
    assert match is not None
    assert ":" not in match[1]
    assert unescaped(match[1], is_property=True) == file
    assert unescaped(match[2], is_property=False) == f"{message} Do this."


def test_annotation_commands():
    assert annotation(row(severity="warning")).startswith("::warning ")
    assert annotation(row(severity="info")).startswith("::notice ")
    assert annotation(row(file="")) == "::error title=image.missing::gone Do this."
