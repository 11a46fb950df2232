"""Room on the disk that writing leaves to removing: removing writes too, before it gives back."""

import shutil
from pathlib import Path

from toolkit.errors import StorageError

RESERVE = 8 << 20
"""Bytes. A log of changes is worked into its database when it has some 4 MB."""


def check_free(folder: Path, num_bytes: int) -> None:
    """Looks whether there is room for a write.

    Args:
        folder: that is written to.
        num_bytes: of what is written.

    Raises:
        StorageError: it would not leave `RESERVE`.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes + RESERVE:
        raise StorageError(
            f"The disk is full: {free:,} bytes are free, and {RESERVE:,} are left for removing. "
            "Nothing was written. Remove records, or make room."
        )
