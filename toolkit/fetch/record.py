"""What was fetched, by sha256: trusted on the first use, compared on later ones.

The official addresses publish no checksums. So the first copy cannot be proven; what can be proven
is that it is still the same. The record stands beside the file or folder as `<name>.sha256.json`.
"""

import json
import logging
from pathlib import Path
from typing import Any

from toolkit.errors import FetchError
from toolkit.fingerprint import sha256_file
from toolkit.storage import read_json, write_json

_LOG = logging.getLogger(__name__)
_FORMAT = 1
_MOST_SAID = 5


def keep_record(target: Path, url: str | None) -> None:
    """Writes the record of a file, or of all files of a folder, and says that they are trusted.

    Args:
        target: the file or folder.
        url: the official address it came from; None if someone put it there.
    """
    files = {name: _describe(file, sha256_file(file)) for name, file in _files(target).items()}
    _write(target, url, files)
    hashes = ", ".join(f"{name} {entry['sha256']}" for name, entry in files.items())
    said = hashes if len(files) <= _MOST_SAID else f"of {len(files)} files"
    _LOG.info(
        "%s is used for the first time and there is no published checksum: it is trusted as it is. "
        "Later uses are compared with %s (sha256: %s).",
        target,
        record_file(target),
        said,
    )


def check_record(target: Path, *, verify: bool) -> None:
    """Compares a file or folder with its record; the first use makes one.

    Args:
        target: the file or folder.
        verify: compute every sha256 anew; otherwise only where size or time of change differ.

    Raises:
        FetchError: it is not what it was, or the record cannot be read; the message says what to
            do.
    """
    record = _read(target)
    if record is None:
        keep_record(target, None)
        return
    now: dict[str, dict[str, Any]] = {}
    for name, entry in record["files"].items():
        file = target if target.is_file() else target / name
        now[name] = _compared(file, entry, target, record, verify=verify)
    if now != record["files"]:  # touched and the same: remembered, so as not to be read each time
        _write(target, record["url"], now)
    if verify:
        _LOG.info("%s is what it was when it was first used (sha256).", target)


def record_file(target: Path) -> Path:
    """Returns where the record of a file or folder is."""
    return target.with_name(f"{target.name}.sha256.json")


def _compared(
    file: Path, entry: dict[str, Any], target: Path, record: dict[str, Any], *, verify: bool
) -> dict[str, Any]:
    """Returns the entry as it should be from now on."""
    there = file.is_file()
    seen = _describe(file, entry["sha256"]) if there else {}
    if seen == entry and not verify:
        return entry
    found = sha256_file(file) if there else "none, it is gone"
    if found != entry["sha256"]:
        origin = f" from {record['url']}" if record["url"] else ""
        raise FetchError(
            f"{file} is not the file that was first used{origin}: its sha256 is {found}, the "
            f"record says {entry['sha256']}. If you changed it on purpose, delete "
            f"{str(record_file(target))!r}; if not, delete {str(target)!r} too, and it is fetched "
            "again."
        )
    return seen


def _files(target: Path) -> dict[str, Path]:
    if target.is_file():
        return {target.name: target}
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {file.relative_to(target).as_posix(): file for file in files}


def _describe(file: Path, sha256: str) -> dict[str, Any]:
    status = file.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": sha256}


def _write(target: Path, url: str | None, files: dict[str, dict[str, Any]]) -> None:
    record = {"format_version": _FORMAT, "url": url, "files": files}
    try:
        write_json(record_file(target), record)
    except OSError as error:  # a cache that is shared read-only is of use all the same
        _LOG.warning("No record of %s can be kept: %s.", target, error.strerror)


def _read(target: Path) -> dict[str, Any] | None:
    file = record_file(target)
    try:
        record = read_json(file)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        record = None
    if not _is_record(record):
        raise FetchError(
            f"{file} is not a record that this version reads (format {_FORMAT}). Delete it, and "
            f"{str(target)!r} is trusted again as it is now."
        )
    return dict(record)


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("format_version") != _FORMAT:
        return False
    files = record.get("files")
    return (
        "url" in record
        and isinstance(files, dict)
        and all(isinstance(entry, dict) and "sha256" in entry for entry in files.values())
    )
