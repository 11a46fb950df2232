import io
import logging
import sys
from pathlib import Path

import pytest

from toolkit import runtime
from toolkit.errors import DeviceError, ExtraError
from toolkit.runtime import configure_logging, parse_device, resolve_device


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
    assert resolve_device("gpu:0,1").paddle_name == "cpu"
    assert "gpu:0,1" in caplog.text
    caplog.clear()
    assert resolve_device("auto").kind == "cpu"
    assert not caplog.text


def test_a_second_run_does_not_write_into_the_first_ones_log(tmp_path: Path) -> None:
    logger = logging.getLogger("toolkit.test")
    configure_logging(tmp_path / "one.log", stream=io.StringIO())
    logger.info("first")
    configure_logging(tmp_path / "two.log", stream=io.StringIO())
    logger.info("second")
    configure_logging(stream=io.StringIO())
    assert "second" not in (tmp_path / "one.log").read_text(encoding="utf-8")
    assert "second" in (tmp_path / "two.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1)],
)
def test_cores_are_cut_by_the_quota_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n", encoding="ascii")
    monkeypatch.setattr(runtime, "_CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(
        runtime.os, "sched_getaffinity", lambda _: frozenset(range(8)), raising=False
    )
    assert runtime.cores_allowed() == cores


def test_paddle_is_told_to_say_little_unless_somebody_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime.os, "environ", {})
    runtime.prepare_paddle()
    assert runtime.os.environ["GLOG_minloglevel"] == "2"
    monkeypatch.setattr(runtime.os, "environ", {"GLOG_minloglevel": "0"})
    runtime.prepare_paddle()
    assert runtime.os.environ["GLOG_minloglevel"] == "0"


def install_wheel(folder: Path, name: str, version: str) -> None:
    """Makes a package look installed, as importlib.metadata sees it."""
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (information / "METADATA").write_text(text, encoding="utf-8")


def test_two_wheels_of_cv2_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="toolkit")
    runtime.check_opencv()
    assert not caplog.records
    install_wheel(tmp_path, "opencv-contrib-python", "4.9.0.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    runtime.check_opencv()
    assert "opencv-contrib-python 4.9.0.1" in caplog.text
    assert "pip uninstall -y" in caplog.text


@pytest.mark.parametrize(
    ("module", "reason"),
    [("raise ImportError('libGL.so.1 is missing')\n", "libGL.so.1 is missing"), ("", "not whole")],
)
def test_a_cv2_that_does_not_work_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, reason: str
) -> None:
    (tmp_path / "cv2.py").write_text(module, encoding="utf-8")
    install_wheel(tmp_path, "opencv-python", "4.9.0.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    with pytest.raises(ExtraError, match=reason) as caught:
        runtime.check_opencv()
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    assert "opencv-python 4.9.0.1" in str(caught.value)
    assert "pip install opencv-python-headless" in str(caught.value)
