import pytest

from benchmarks.measure import Comparison, Table
from benchmarks.results import Stamp
from benchmarks.tables import aligned, cells, figure, load_words, markdown, summary_lines


def row(name: str, ours: float, required: float | None = 2.0) -> Comparison:
    return Comparison(
        "speed", name, "images/s", [ours], [10.0], "peer", required=required, wanted=3.0
    )


def test_figures_keep_three_digits() -> None:
    shown = [figure(value) for value in (0.12345, 1.2345, 12.345, 123.45, 12345.6)]
    assert shown == ["0.123", "1.23", "12.3", "123.5", "12,346"]


def test_a_row_shows_medians_ratio_and_targets() -> None:
    shown = cells(Comparison("a", "work", "s", [1, 2, 9], [4, 6, 50], "p", False, 2.5, None))
    assert shown == ["work", "s", "2.00", "6.00", "3.00 x", "2.5 x", "-", "required"]


def test_a_row_without_targets_has_reached_none() -> None:
    shown = cells(Comparison("a", "work", "s", [1.0], [1.0], "p"))
    assert shown[-3:] == ["-", "-", "-"]


def test_the_summary_counts_and_names_the_misses() -> None:
    rows = [row("fast", 31.0), row("fair", 21.0), row("slow", 19.0), row("free", 1.0, None)]

    first, *misses = summary_lines(rows)

    assert first == "Of 4 targets, 1 reach what is wanted, 1 what is required, 2 neither."
    assert misses == [
        "missed: speed: slow: 1.90 x, required 2 x",
        "missed: speed: free: 0.10 x, required -",
    ]


def test_columns_are_aligned() -> None:
    assert aligned([["a", "bb"], ["ccc", "d"]]) == ["a    bb", "ccc   d"]


def test_markdown_keeps_bars_inside_a_cell() -> None:
    assert markdown(Table("t", ["a", "b"], [["x|y", "1"]])) == [
        "| a | b |",
        "|---|---:|",
        "| x\\|y | 1 |",
    ]


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (None, "load of other processes unknown"),
        (0.04, "other processes had 4% of the cores"),
        (0.31, "other processes had 31% of the cores, TOO MUCH: measure again"),
    ],
)
def test_a_busy_machine_is_told(load: float | None, words: str) -> None:
    assert load_words(Stamp("", "", "", False, 5, 1.0, {}, {}, load)) == words
