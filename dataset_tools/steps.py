"""Commands one after another, each printed as a person would type it."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence

Step = Sequence[str] | Callable[[], Sequence[str]]
"""Arguments of Python; a function where they are known only when the steps before are done."""


def run_steps(steps: Sequence[Step]) -> int:
    """Runs Python with the arguments of each step, and stops at the first that fails.

    Returns:
        0, or the exit code of the step that failed.
    """
    for number, step in enumerate(steps, start=1):
        arguments = step() if callable(step) else step
        print(f"\n[{number}/{len(steps)}] python {shlex.join(arguments)}", flush=True)
        code = subprocess.run([sys.executable, *arguments], check=False).returncode  # noqa: S603 - our own commands
        if code:
            print(f"This step ended with exit code {code}; the ones after it were not run.")
            return code
    return 0
