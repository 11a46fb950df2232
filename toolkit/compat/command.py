"""How a command ends: with the toolkit's exit codes, and a message for what the input had wrong."""

import io
import sys
from collections.abc import Callable

from toolkit.errors import ToolkitError

_INTERRUPTED = 130


def exit_code(command: Callable[[], bool | None]) -> int:
    """Runs a command and returns its exit code; a bug of ours keeps its traceback.

    Args:
        command: prints its own results; False means that they did not pass.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A console of another alphabet shows a "?" rather than ending a run that was done.
        sys.stdout.reconfigure(errors="replace")
    try:
        passed = command()
    except ToolkitError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted. What was written so far is whole.", file=sys.stderr)
        return _INTERRUPTED
    return 1 if passed is False else 0
