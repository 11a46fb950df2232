"""The number of a label: of a class list, of the labels themselves, or none."""

from pathlib import Path

import pytest

from toolkit.data.packing.classes import ClassNumbers, number_labels, read_class_list
from toolkit.data.packing.rows import Row, SkippedRow
from toolkit.errors import DatasetError


def test_a_class_list_counts_from_zero(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("\ufeffred apple\r\n 苹果 \n3\n\n", encoding="utf-8")
    assert read_class_list(file) == {"red apple": 0, "苹果": 1, "3": 2}
    file.write_text("")
    assert read_class_list(file) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\nb\na\n", ":3: the class 'a' is there twice, first in line 1"),
        ("a\n\nb", ":2: an empty"),
    ],
)
def test_a_class_list_with_a_fault(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "classes.txt"
    file.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_class_list(file)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_class_list(tmp_path / "none.txt")


def test_whole_numbers_stay_what_they_are() -> None:
    assert number_labels(["41", "7", "41", "0"]) == {"0": 0, "7": 7, "41": 41}


@pytest.mark.parametrize("labels", [["7", "b"], ["07", "7"], ["-1", "3"], ["3", "1" * 19]])
def test_other_labels_are_counted_in_class_order(labels: list[str]) -> None:
    """Two labels never become one number: "07" and "7" are two classes."""
    assert sorted(number_labels(labels).values()) == [0, 1]


def test_labels_become_numbers_or_a_reason() -> None:
    classes = ClassNumbers({"a": 0, "b": 1}, error_class="bad")
    assert classes.number_of(Row(1, "p", "b")) == 1
    assert classes.number_of(Row(1, "p", None)) == -1
    unknown, dropped = (classes.number_of(Row(4, "p", label)) for label in ("c", "bad"))
    assert isinstance(unknown, SkippedRow)
    assert isinstance(dropped, SkippedRow)
    assert (unknown.line, unknown.reason) == (4, "unknown_class")
    assert dropped.reason == "error_class"


def test_unknown_labels_go_to_the_default_class() -> None:
    classes = ClassNumbers({"a": 0, "other": 1}, default_class="other", error_class="bad")
    assert classes.number_of(Row(1, "p", "c")) == 1
    assert classes.number_of(Row(1, "p", "a")) == 0
    assert isinstance(classes.number_of(Row(1, "p", "bad")), SkippedRow)


def test_without_numbers_no_label_is_stored() -> None:
    assert ClassNumbers(None).number_of(Row(1, "p", "a")) == -1
