"""What the commands of this folder share: options, and how an error reaches a person."""

import argparse
import sys
from collections.abc import Callable

from toolkit.errors import StorageError, ToolkitError

_STOPPED = 130


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Adds --pictures and --force, which both commands understand alike."""
    parser.add_argument(
        "--pictures",
        choices=("link", "copy"),
        default="link",
        help="how whole pictures become part of --output: by one link to the dataset's folder, or "
        "copied (default: link; nothing is needed for a dataset inside --output)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace lists that another tool has written"
    )


def run(action: Callable[[], None]) -> int:
    """Runs a command; returns its exit code, with a plain message on standard error."""
    try:
        action()
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}.", file=sys.stderr)
        return StorageError.exit_code
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return _STOPPED
    return 0
