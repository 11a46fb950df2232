"""The command line: ``main.py -c FILE -o Section.key=value``.

Exit codes: 0 done; 1 the dataset or a gate did not pass; 2 the input was wrong; 3 a bug of ours;
130 interrupted.
"""

import argparse
import io
import sys
import traceback
from collections.abc import Sequence

from toolkit.errors import ToolkitError
from toolkit.registry import TASKS
from toolkit.version import __version__

BUG, INTERRUPTED = 3, 130
# Switches that are short for a setting.
_SWITCHES = {"verify": "Global.verify=true", "only_failed": "Extract.only_failed=true"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one mode and returns the exit code."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A console of another alphabet shows a "?" rather than ending a run that was done.
        sys.stdout.reconfigure(errors="replace")
    # The schema costs a quarter of a second; --help should not pay for it.
    from toolkit.interfaces.run import run

    try:
        switched = [text for name, text in _SWITCHES.items() if getattr(options, name)]
        report = run(options.config, options.override + switched)
    except ToolkitError as error:
        _say(f"{type(error).__name__}: {error}")
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        _say(str(interrupt) or "Interrupted. What was written so far is whole.")
        return INTERRUPTED
    except Exception:  # the last line of defence: a bug must be seen, and have its own exit code
        traceback.print_exc()
        _say("This is a bug of the toolkit. Please report it with the lines above.")
        return BUG
    print(report.summary())
    return 0 if report.passed else 1


class _ListModels(argparse.Action):
    """Prints a line a model; like --version it needs no configuration."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from toolkit.cards.catalog import models_table

        print(models_table())
        parser.exit()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py",
        description=(
            "Check a folder of pictures, train an image embedding, measure it and use it. "
            "Modes: " + ", ".join(TASKS.names()) + "."
        ),
        epilog=(
            "Example: python main.py -c configs/general_recognition/PP-ShiTuV2_rec.yaml "
            "-o Global.mode=check_dataset -o Global.dataset_dir=my_photographs"
        ),
    )
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="YAML file to run")
    parser.add_argument(
        "-o",
        "--override",
        action="append",
        default=[],
        metavar="Section.key=value",
        help="value that takes the place of the file's; may be given many times",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare downloaded files with the sha256 of their first use (Global.verify=true)",
    )
    parser.add_argument(
        "--only-failed",
        action="store_true",
        help="compute the failed rows of an extraction again (Extract.only_failed=true)",
    )
    parser.add_argument("--list-models", action=_ListModels, help="print the models and exit")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser
