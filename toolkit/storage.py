"""Files that are either whole or not there: a temporary name in the same folder, then a rename.

Every file that outlives a run carries a format version; its writer owns the number.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success it is synced and renamed onto `path`.

    The folders above are created. On an exception the temporary file is removed and `path` is
    as it was before.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path | str) -> Iterator[Path]:
    """Yields a temporary folder beside `path`; on success it takes the place of `path`.

    A folder cannot replace a full one in a single step, so the old one is moved aside first. A
    process killed between the two renames leaves it as `.<name>.old`; `recover_directory` puts
    it back.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    temporary.mkdir()
    try:
        yield temporary
        aside = target.with_name(f".{target.name}.old")
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
            target.replace(aside)
        temporary.replace(target)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def recover_directory(path: Path | str) -> bool:
    """Puts back what `atomic_directory` moved aside when it was killed between its two renames.

    Returns:
        True when an old folder was put back.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.old")
    if not aside.is_dir() or target.exists():
        return False
    aside.replace(target)
    return True


def sync_folder(path: Path | str) -> None:
    """Brings the names in a folder to the disk: a renamed file is there after a power cut too."""
    if os.name == "nt":  # Windows opens no folders, and keeps names with the files
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path | str, text: str) -> None:
    """Writes UTF-8 text atomically, with the line ends that `text` has."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path | str, data: bytes) -> None:
    """Writes bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path | str, data: Any, *, indent: int | None = 2) -> None:
    """Writes JSON atomically: UTF-8, readable Chinese, and no NaN (it is not JSON).

    A file name that is not UTF-8 is written by JSON's own escape, backslash u and four digits.
    """
    text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def read_json(path: Path | str) -> Any:
    """Reads a UTF-8 JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _beside(target: Path) -> Path:
    """A name that is not taken. `tempfile` is not used: it makes private files (mode 0600)."""
    return target.with_name(f".{target.stem}.{secrets.token_hex(6)}.tmp{target.suffix}")
