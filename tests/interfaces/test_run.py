"""A run from its first line to its result file, also when it cannot even begin."""

import errno
import json
from pathlib import Path

import pytest

from toolkit.errors import ConfigError, StorageError
from toolkit.interfaces import run as run_module
from toolkit.interfaces.run import run
from toolkit.registry import TASKS

CONFIG = "Global: {{model: SmallResNet_rec, output: {output}}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.format(output=tmp_path / "out"), encoding="utf-8")
    return file


def result(tmp_path: Path) -> dict:
    file = tmp_path / "out" / "check_dataset_result.json"
    return json.loads(file.read_text(encoding="utf-8"))


def failing_task(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(_config: object) -> None:
        raise error

    monkeypatch.setattr(TASKS, "get", lambda _mode: fail)


@pytest.mark.parametrize("override", ["Train.epochs_iters=x", "no equals sign", "Loss.9.x=1"])
def test_a_refused_configuration_leaves_a_result(
    config: Path, tmp_path: Path, override: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(config, [override])
    assert result(tmp_path) == {
        "done_flag": False, "err_type": "ConfigError", "err_msg": str(caught.value),
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "Global: {model: x", "- a list"])
def test_so_does_a_file_that_cannot_be_read_when_the_folder_is_named(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "config.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        run(file, [f"Global.output={tmp_path / 'out'}"])
    assert result(tmp_path)["err_type"] == "ConfigError"


@pytest.mark.parametrize("override", ["Global.seed=0", "Global.seed=wrong"])
def test_an_output_that_is_a_file_is_the_users_to_mend(
    config: Path, tmp_path: Path, override: str
) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"Global\.output|Global\.seed"):
        run(config, [override])


def test_an_interrupted_run_takes_the_place_of_an_earlier_result(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/check_dataset_result.json").write_text('{"done_flag": true}', "utf-8")

    def stop(_config: object) -> None:
        # What a process that is killed here would leave behind.
        assert not (tmp_path / "out/check_dataset_result.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(TASKS, "get", lambda _mode: stop)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert result(tmp_path)["err_type"] == "KeyboardInterrupt"
    assert result(tmp_path)["err_msg"]


def test_a_full_disk_is_no_bug(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_task(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "facts.jsonl"))
    with pytest.raises(StorageError, match=r"facts\.jsonl: No space left"):
        run(config)
    assert result(tmp_path)["err_type"] == "StorageError"


def test_other_errors_of_the_machine_stay_bugs(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_task(monkeypatch, OSError(errno.ENOENT, "No such file", "gone"))
    with pytest.raises(FileNotFoundError):
        run(config)
    assert result(tmp_path)["err_type"] == "FileNotFoundError"


def test_opencv_is_looked_at_before_the_task(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StorageError("looked at")

    monkeypatch.setattr(run_module, "check_opencv", refuse)
    with pytest.raises(StorageError, match="looked at"):
        run(config)
    assert result(tmp_path)["err_msg"] == "looked at"
