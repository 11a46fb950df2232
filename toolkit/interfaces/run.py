"""One run of one mode: config.yaml before it, <mode>_result.json after it, whatever happens."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.config.load import check_document, dump_config, read_document
from toolkit.config.schema import Config
from toolkit.config.yaml_core import Document
from toolkit.errors import ConfigError, ToolkitError
from toolkit.registry import TASKS
from toolkit.runtime import configure_logging, prepare_paddle
from toolkit.storage import write_json, write_text
from toolkit.tasks.report import Report
from toolkit.version import __version__

# Said by Paddle whenever it is imported, and whenever batch norm is trained; nothing to be done.
_PADDLE_SAYS = ("No ccache found", "When training, we now always track")


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
    document = read_document(config, overrides)
    try:
        checked = check_document(document)
    except ConfigError as error:
        _record_refused(document, error)
        raise
    return run_config(checked)


def run_config(config: Config) -> Report:
    """Runs a validated configuration."""
    output, mode = Path(config.Global.output), config.Global.mode
    prepare_paddle()
    for known in _PADDLE_SAYS:
        warnings.filterwarnings("ignore", message=known, category=UserWarning)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Global.output {str(output)!r} cannot be made a folder: {error.strerror}."
        ) from error
    configure_logging(output / "train.log" if mode == "train" else None)
    header = (
        f"# Written by {mode}, toolkit {__version__}. Complete: main.py -c takes it as it is.\n"
    )
    write_text(output / "config.yaml", header + dump_config(config))
    result_file = output / f"{mode}_result.json"
    try:
        report: Report = TASKS.get(mode)(config)
    except BaseException as error:
        write_json(result_file, _failure(error))
        raise
    write_json(result_file, {"done_flag": True, **report.to_json()})
    return report


def _record_refused(document: Document, error: ToolkitError) -> None:
    """Writes <mode>_result.json for a refused configuration where it names a folder and a mode."""
    section = document.data.get("Global")
    section = section if isinstance(section, dict) else {}
    output, mode = section.get("output", "output"), section.get("mode", "check_dataset")
    if isinstance(output, str) and output and mode in TASKS:
        write_json(Path(output) / f"{mode}_result.json", _failure(error))


def _failure(error: BaseException) -> dict[str, Any]:
    return {"done_flag": False, "err_type": type(error).__name__, "err_msg": str(error)}
