import json
from pathlib import Path

import pytest

from benchmarks.measure import Comparison, Details, Table
from benchmarks.results import FORMAT, AreaResult, Stamp, merge_results, read_results


def area(name: str, figure: float, commit: str = "abc") -> AreaResult:
    return AreaResult(
        Stamp("2025-01-01 12:00", commit, f"run {name}", False, 5, 1.5, {"cores": 2}, {"a": "1"}),
        [Comparison(name, "row", "s", [figure], [2.0], "peer", False, 1.0, None, "same", "note")],
        Details({"peer": "1.0"}, {"side": "348"}, [Table("curve", ["n", "s"], [["10", "1"]])]),
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "results.json"

    merge_results({"inference": area("inference", 1.0)}, file)

    assert read_results(file) == {"inference": area("inference", 1.0)}


def test_one_area_replaces_itself_alone(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    merge_results({"check": area("check", 1.0), "inference": area("inference", 2.0)}, file)

    merged = merge_results({"inference": area("inference", 3.0, "def")}, file)

    assert merged == read_results(file)
    assert merged["check"] == area("check", 1.0)
    assert merged["inference"] == area("inference", 3.0, "def")


def test_areas_stand_in_the_order_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    for name in ("check", "unheard-of", "inference", "training"):
        merge_results({name: area(name, 1.0)}, file)

    order = ["inference", "training", "check", "unheard-of"]
    assert list(read_results(file)) == order
    assert list(json.loads(file.read_text())["areas"]) == order


def test_no_file_is_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path / "results.json") == {}


def test_another_format_is_named(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"format": FORMAT + 1, "areas": {}}))

    with pytest.raises(ValueError, match=f"has format {FORMAT + 1}, this reads {FORMAT}"):
        read_results(file)


def test_a_figure_that_is_no_number_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    merge_results({"check": area("check", 1.0)}, file)

    with pytest.raises(ValueError, match="JSON"):
        merge_results({"check": area("check", float("nan"))}, file)

    assert read_results(file) == {"check": area("check", 1.0)}
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
