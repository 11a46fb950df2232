"""Exit codes and what stands on which stream; the runs themselves are replaced."""

import pytest

from toolkit.errors import CheckFailedError, ConfigError
from toolkit.interfaces import run as run_module
from toolkit.interfaces.cli import main


class Done:
    """A report of a run that came to its end."""

    def __init__(self, *, passed: bool) -> None:
        self.passed = passed

    def summary(self) -> str:
        return "what was done: 猫"


def outcome(monkeypatch: pytest.MonkeyPatch, result: Done | BaseException) -> int:
    def run(_config: str, _overrides: list[str]) -> Done:
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(run_module, "run", run)
    return main(["-c", "any.yaml"])


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_a_report_is_printed_and_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], passed: bool, code: int
) -> None:
    assert outcome(monkeypatch, Done(passed=passed)) == code
    assert "what was done: 猫" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("wrong key"), 2, "ConfigError: wrong key"),
        (CheckFailedError("bad rows"), 1, "CheckFailedError: bad rows"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_errors_of_people_have_a_message_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    assert outcome(monkeypatch, error) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out


def test_a_bug_is_exit_3_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(monkeypatch, ZeroDivisionError("by zero")) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-c"], ["-c", "a.yaml", "--unknown"]])
def test_a_wrong_command_line_is_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ([], ["a.b=1"]),
        (["--verify"], ["a.b=1", "Global.verify=true"]),
        (["--only-failed"], ["a.b=1", "Extract.only_failed=true"]),
    ],
)
def test_verify_is_an_override(
    monkeypatch: pytest.MonkeyPatch, flag: list[str], expected: list[str]
) -> None:
    given: list[list[str]] = []

    def run(_config: str, overrides: list[str]) -> Done:
        given.append(overrides)
        return Done(passed=True)

    monkeypatch.setattr(run_module, "run", run)
    main(["-c", "any.yaml", "-o", "a.b=1", *flag])
    assert given == [expected]
