"""The most memory that this process has held; it imports nothing, so that any side can ask."""

import resource
import sys
from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_mib() -> float:
    """Returns the most memory held so far, or since `forget_peak`, in MiB: VmHWM.

    getrusage's maximum is inherited from the process that started this one, so it is only the
    second choice.
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak() -> float:
    """Starts the peak anew from what is held now, where the system can, and returns it in MiB.

    Source: proc_pid_clear_refs(5): 5 resets the peak resident set size.
    """
    if _FORGET.exists():
        _FORGET.write_text("5", encoding="ascii")
    return peak_mib()
