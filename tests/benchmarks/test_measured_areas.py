import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import run
from benchmarks.measure import Comparison, Details, Options
from benchmarks.results import AREAS, read_results


def plant(monkeypatch: pytest.MonkeyPatch, name: str, **functions) -> None:
    module = ModuleType(f"benchmarks.{name}")
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def fine(options: Options) -> list[Comparison]:
    figures = [2.0] * options.repeats
    return [Comparison("fine", "work", "s", figures, [6.0], "peer", False, 2.0)]


def broken(options: Options) -> list[Comparison]:
    raise SystemExit("its peer is not there")


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(quick=True, repeats=3, workspace=tmp_path, dataset=tmp_path)


def test_an_area_that_fails_does_not_take_the_others_with_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: Options,
    tmp_path: Path,
) -> None:
    plant(monkeypatch, "broken", measure=broken)
    plant(monkeypatch, "fine", measure=fine)
    file = tmp_path / "results.json"

    measured, failed = run.measure_areas(["broken", "fine"], options, file)

    assert (list(measured), failed) == (["fine"], ["broken"])
    assert read_results(file) == measured
    printed = capsys.readouterr()
    assert "3.00 x" in printed.out
    assert "its peer is not there" in printed.err


def test_nothing_is_kept_when_nothing_shall_be(
    monkeypatch: pytest.MonkeyPatch, options: Options, tmp_path: Path
) -> None:
    plant(monkeypatch, "fine", measure=fine)

    run.measure_areas(["fine"], options, None)

    assert list(tmp_path.iterdir()) == []


def test_an_area_is_stamped_with_what_repeats_it(
    monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    details = Details(versions={"peer": "1.0"})
    plant(monkeypatch, "fine", measure=fine, details=lambda *_: details)

    result = run.measure_area("fine", options)

    stamp = result.stamp
    assert stamp.command == "python -m benchmarks.run --quick fine"
    assert (stamp.quick, stamp.repeats) == (True, 3)
    assert stamp.machine["cores"] >= 1
    assert "numpy" in stamp.versions
    assert result.comparisons == fine(options)
    assert result.details == details


def test_every_area_that_has_a_file_is_known() -> None:
    assert set(run.available()) <= set(AREAS)
    assert "inference" in run.available()
