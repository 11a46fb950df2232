"""The most memory that a process has held; it imports nothing large, so that any side can ask."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

_FORGET = Path("/proc/self/clear_refs")


def peak_mib(process: int | None = None) -> float:
    """Returns the most memory held so far, or since `forget_peak`, in MiB: VmHWM.

    getrusage's maximum is inherited from the process that started this one, so it is only the
    second choice.

    Args:
        process: its number; None is this one. 0 comes back where it has ended.
    """
    status = Path("/proc", "self" if process is None else str(process), "status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if process is not None:
        return 0.0
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak() -> float:
    """Starts the peak anew from what is held now, where the system can, and returns it in MiB.

    Source: proc_pid_clear_refs(5): 5 resets the peak resident set size.
    """
    with suppress(OSError):  # not there, or not allowed
        _FORGET.write_text("5", encoding="ascii")
    return peak_mib()
