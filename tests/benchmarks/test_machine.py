import subprocess
import sys

import pytest

from benchmarks import machine

WORK = "import time; until = time.process_time() + 0.3\nwhile time.process_time() < until: pass"


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds that a test sets: on the wall, busy on the machine, of our processes."""
    times = {"wall": 100.0, "busy": 1000.0, "ours": 10.0}
    monkeypatch.setattr(machine.time, "monotonic", lambda: times["wall"])
    monkeypatch.setattr(machine, "_busy_seconds", lambda: times["busy"])
    monkeypatch.setattr(machine, "_our_seconds", lambda: times["ours"])
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 4)
    return times


def test_what_others_had_is_what_was_busy_without_ours(clocks: dict[str, float]) -> None:
    load = machine.OtherLoad()
    clocks.update(wall=110.0, busy=1025.0, ours=15.0)

    # 25 s were busy, 5 of them ours; 4 cores had 40 s.
    assert load.share() == pytest.approx(0.5)


def test_the_clocks_of_system_and_process_may_differ_a_little(clocks: dict[str, float]) -> None:
    load = machine.OtherLoad()
    clocks.update(wall=110.0, busy=1004.9, ours=15.0)

    assert load.share() == 0.0


def test_a_system_that_does_not_tell_is_unknown(
    monkeypatch: pytest.MonkeyPatch, clocks: dict[str, float]
) -> None:
    monkeypatch.setattr(machine, "_busy_seconds", lambda: None)
    assert machine.OtherLoad().share() is None


def test_the_time_of_processes_that_ended_is_ours() -> None:
    busy, ours = machine._busy_seconds(), machine._our_seconds()
    subprocess.run([sys.executable, "-c", WORK], check=True)

    assert machine._our_seconds() - ours >= 0.3
    assert busy is None or machine._busy_seconds() - busy >= 0.25


def test_the_machine_is_described() -> None:
    described = machine.machine()

    assert described["cores"] >= 1
    assert described["memory_gib"] > 0
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))
