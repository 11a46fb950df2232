import pytest

from benchmarks.measure import Comparison, Details, Table
from benchmarks.results import AreaResult, Stamp
from docs import performance_page


def area(*rows: Comparison, quick: bool = False) -> AreaResult:
    machine = {
        "processor": "CPU 9000",
        "instructions": "avx2",
        "cores": 2,
        "memory_gib": 16.0,
        "system": "Linux",
        "python": "3.11",
    }
    stamp = Stamp("2025-01-01 12:00", "abc", "run it", quick, 5, 90.0, machine, {"numpy": "2.0"})
    table = Table("Curve", ["n", "s"], [["10", "1.5"]])
    return AreaResult(stamp, list(rows), Details({"peer": "1.0"}, {"side": "348 px"}, [table]))


def page(monkeypatch: pytest.MonkeyPatch, results: dict[str, AreaResult]) -> str:
    monkeypatch.setattr(performance_page, "read_results", lambda: results)
    return performance_page.performance_page()


def test_the_page_shows_ratios_parity_notes_and_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = Comparison(
        "inference", "work", "images/s", [30.0], [10.0], "peer 1.0", True, 2.0, 4.0, "equal", "Why."
    )
    text = page(monkeypatch, {"inference": area(row, quick=True)})

    assert "| work | images/s | 30.0 | 10.0 | 3.00 x | 2 x | 4 x | required |" in text
    assert "- **work**: Peer: peer 1.0. Parity: equal. Why." in text
    assert "| 10 | 1.5 |" in text
    assert "`run it` (a quick run, with less work)" in text
    for fact in ("CPU 9000", "commit abc", "numpy 2.0", "Peer: peer 1.0", "348 px"):
        assert fact in text


def test_what_is_missed_stands_at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Comparison("check", "slow work", "s", [1.0], [1.5], "peer", False, 2.0)
    text = page(monkeypatch, {"check": area(slow)})

    summary = text.partition("## Summary")[2].partition("## Checking")[0]
    assert "1 neither" in summary
    assert "- missed: check: slow work: 1.50 x, required 2 x" in summary


def test_a_page_without_results_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing has been measured yet" in page(monkeypatch, {})


def test_an_area_without_a_title_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\n## novelty\n" in page(monkeypatch, {"novelty": area()})
