import io
import logging
from pathlib import Path

import pytest

from toolkit import runtime
from toolkit.errors import DeviceError
from toolkit.runtime import Progress, configure_logging, parse_device, resolve_device


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", ("auto", ())),
        ("cpu", ("cpu", ())),
        ("gpu", ("gpu", ())),
        ("gpu:0", ("gpu", (0,))),
        ("gpu:2,3", ("gpu", (2, 3))),
    ],
)
def test_devices_are_parsed(text: str, expected: tuple) -> None:
    assert parse_device(text) == expected


@pytest.mark.parametrize("text", ["", "cpu:0", "gpu:", "gpu:a", "gpu:0,", "npu", "GPU", "auto:1"])
def test_other_devices_are_refused(text: str) -> None:
    with pytest.raises(DeviceError, match="Known: auto, cpu, gpu"):
        parse_device(text)


def test_a_gpu_that_is_not_there_is_a_warning_and_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    import paddle

    if paddle.is_compiled_with_cuda():
        pytest.skip("this Paddle has GPUs")
    caplog.set_level(logging.WARNING, logger="toolkit")
    logging.getLogger("toolkit").propagate = True
    assert resolve_device("gpu:0,1").paddle_name == "cpu"
    assert "gpu:0,1" in caplog.text
    caplog.clear()
    assert resolve_device("auto").kind == "cpu"
    assert not caplog.text


def test_progress_without_a_terminal_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(runtime.time, "monotonic", lambda: now[0])
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


def test_progress_on_a_terminal_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        with Progress("check images", 2, stream=stream) as progress:
            progress.advance(2, note="done")
    assert "check images" in stream.getvalue()
    assert "2/2" in stream.getvalue()


def test_a_second_run_does_not_write_into_the_first_ones_log(tmp_path: Path) -> None:
    logger = logging.getLogger("toolkit.test")
    configure_logging(tmp_path / "one.log", stream=io.StringIO())
    logger.info("first")
    configure_logging(tmp_path / "two.log", stream=io.StringIO())
    logger.info("second")
    configure_logging(stream=io.StringIO())
    assert "second" not in (tmp_path / "one.log").read_text(encoding="utf-8")
    assert "second" in (tmp_path / "two.log").read_text(encoding="utf-8")


def test_cores_are_at_least_one() -> None:
    assert runtime.cores_allowed() >= 1
