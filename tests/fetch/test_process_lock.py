"""The lock against a second process; two real processes are in test_download."""

import threading
from pathlib import Path

import pytest

from toolkit.fetch import lock
from toolkit.fetch.lock import locked


def test_one_at_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    target = tmp_path / "file"
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with locked(target):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1] * 6
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two processes could each hold a file of that name."""
    real, removed = lock._lock, []

    def slow(stream: object) -> None:
        real(stream)
        if not removed:  # the holder before us leaves between our open and our lock
            removed.append(True)
            (tmp_path / ".file.lock").unlink()

    monkeypatch.setattr(lock, "_lock", slow)
    monkeypatch.setattr(lock, "_POLL_SECONDS", 0.0)
    with locked(tmp_path / "file"):
        assert (tmp_path / ".file.lock").is_file()
        assert lock.try_lock(tmp_path / ".file.lock") is None


def test_a_failure_gives_the_lock_back(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="failed"), locked(tmp_path / "file"):
            raise ValueError("failed")
    assert list(tmp_path.iterdir()) == []
