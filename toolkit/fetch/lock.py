"""One process at a time: a lock that the system gives back when its holder dies.

The lock is on an open file and not the file itself, so nothing stale is left after a kill.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.1


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Waits until no other process makes `target`, and keeps them waiting until the block ends.

    Args:
        target: a file or folder; the lock file stands beside it while the block runs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.with_name(f".{target.name}.lock")
    told = False
    while (stream := try_lock(file)) is None:
        if not told:
            _LOG.info("Another process is making %s; waiting for it.", target)
            told = True
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        # On Windows a file that is open cannot be removed: there it goes when the last one leaves.
        with suppress(PermissionError):
            file.unlink(missing_ok=True)
        stream.close()
        if sys.platform == "win32":
            with suppress(OSError):
                file.unlink(missing_ok=True)


def try_lock(file: Path) -> BinaryIO | None:
    """Returns the open, locked file, or None where another process has it.

    Args:
        file: the lock file, made where it is not there; closing what is returned gives it free.
    """
    stream = file.open("ab")
    try:
        _lock(stream)
        # The holder before us may have removed the file after we opened it; another process would
        # then lock a new file of that name, and both would believe to be alone.
        if file.stat().st_ino == os.fstat(stream.fileno()).st_ino:
            return stream
    except (BlockingIOError, PermissionError, FileNotFoundError):
        pass
    stream.close()
    return None


def _lock(stream: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
