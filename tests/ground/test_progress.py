import io

import pytest

from toolkit.progress import Progress


def test_progress_without_a_terminal_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("toolkit.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress("check images", 100, stream=stream) as progress:
        for _ in range(100):
            now[0] += 0.25
            progress.advance()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "check images: 40/100 (40%) ETA 0:15 4.0 images/s, 0:10 elapsed"
    assert lines[-1] == "check images: 100/100 (100%) ETA 0:00 4.0 images/s, 0:25 elapsed"
    assert len(lines) == 3
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("terminal", "is_bar"), [("xterm", True), ("dumb", False)])
def test_progress_on_a_terminal_is_a_bar(terminal: str, is_bar: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", terminal)
        with Progress("check images", 2, stream=stream) as progress:
            progress.advance(2, note="done")
    assert "check images" in stream.getvalue()
    assert "2/2" in stream.getvalue()
    assert ("\r" in stream.getvalue()) is is_bar


def test_progress_does_not_tell_the_end_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("toolkit.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress("check images", 40, stream=stream) as progress:
        for _ in range(40):
            now[0] += 0.25
            progress.advance()
    assert len(stream.getvalue().splitlines()) == 1
