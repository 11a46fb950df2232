"""One run of one mode: config.yaml before it, <mode>_result.json after it, whatever happens."""

import errno
import logging
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.config.load import check_document, dump_config, read_document, read_overrides
from toolkit.config.run_sections import GlobalSection
from toolkit.config.schema import Config
from toolkit.config.yaml_core import Document
from toolkit.errors import ConfigError, StorageError, ToolkitError
from toolkit.interfaces.processes import launched_rank, run_task
from toolkit.registry import TASKS
from toolkit.runtime import check_opencv, configure_logging, prepare_paddle
from toolkit.storage import write_json, write_text
from toolkit.tasks.report import Report
from toolkit.training.interruption import InterruptedRunError
from toolkit.version import __version__

_LOG = logging.getLogger(__name__)
# Said by Paddle whenever it is imported, and whenever batch norm is trained; nothing to be done.
_PADDLE_SAYS = ("No ccache found", "When training, we now always track")
# What the machine refuses is no bug of ours.
_MACHINE_SAYS_NO = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_ROOM = "Make room or give the rights, or name another folder in Global.output."


def run(config: Config | Path | str, overrides: Sequence[str] = ()) -> Report:
    """Runs the mode that a configuration names, as ``main.py`` does, and returns its report.

    Args:
        config: a validated configuration, or the path of a YAML file.
        overrides: ``Section.key=value`` each; only with a path.

    Returns:
        The task's report; `Report.passed` is False where ``main.py`` would exit with 1.

    Raises:
        ToolkitError: the input is wrong; ``<mode>_result.json`` says so too.
    """
    if isinstance(config, Config):
        if overrides:
            raise ConfigError("Overrides go with the path of a file, not with a built Config.")
        return run_config(config)
    document = read_overrides(overrides)
    try:
        document = read_document(config, overrides)
        checked = check_document(document)
    except ConfigError as error:
        _record_refused(document, error)
        raise
    return run_config(checked, document.notes)


def run_config(config: Config, notes: Sequence[str] = ()) -> Report:
    """Runs a validated configuration.

    Args:
        config: what is run.
        notes: what a person should know of how it was read, for the log.
    """
    output, mode = Path(config.Global.output), config.Global.mode
    prepare_paddle()
    for known in _PADDLE_SAYS:
        warnings.filterwarnings("ignore", message=known, category=UserWarning)
    if launched_rank():
        # Another process of the group keeps the record.
        configure_logging()
        return run_task(config)
    result_file = output / f"{mode}_result.json"
    _open_output(config, result_file)
    for note in notes:
        _LOG.info("%s", note)
    try:
        check_opencv()
        report = run_task(config)
        write_json(result_file, {"done_flag": True, **report.to_json()})
    except OSError as error:
        if error.errno not in _MACHINE_SAYS_NO:
            _record(result_file, error)
            raise
        refused = StorageError(f"{error.filename or output}: {error.strerror}. {_ROOM}")
        _record(result_file, refused)
        raise refused from error
    except BaseException as error:
        _record(result_file, error)
        raise
    return report


def _open_output(config: Config, result_file: Path) -> None:
    """Makes the output folder with config.yaml in it; the result of an earlier run goes.

    A killed process writes no result, and the one before would stand for it.
    """
    output, mode = result_file.parent, config.Global.mode
    header = (
        f"# Written by {mode}, toolkit {__version__}. Complete: main.py -c takes it as it is.\n"
    )
    try:
        output.mkdir(parents=True, exist_ok=True)
        result_file.unlink(missing_ok=True)
        write_text(output / "config.yaml", header + dump_config(config))
        configure_logging(output / "train.log" if mode == "train" else None)
    except OSError as error:
        raise ConfigError(
            f"Global.output {str(output)!r} cannot be written to: {error.strerror}. {_ROOM}"
        ) from error


def _record_refused(document: Document, error: ToolkitError) -> None:
    """Writes <mode>_result.json for a refused configuration where it has a section Global."""
    section = document.data.get("Global") if isinstance(document.data, dict) else None
    if not isinstance(section, dict):
        return
    defaults = GlobalSection.model_fields
    output = section.get("output", defaults["output"].default)
    mode = section.get("mode", defaults["mode"].default)
    if isinstance(output, str) and output and mode in TASKS:
        _record(Path(output) / f"{mode}_result.json", error)


def _record(file: Path, error: BaseException) -> None:
    """Writes why a run failed; where that cannot be written either, the error itself is told."""
    with suppress(OSError):
        write_json(file, _failure(error))


def _failure(error: BaseException) -> dict[str, Any]:
    # Being interrupted has no message of its own.
    message = str(error) or "The run was stopped before its end."
    left = error.result if isinstance(error, InterruptedRunError) else {}
    return {**left, "done_flag": False, "err_type": type(error).__name__, "err_msg": message}
