"""Replaces several text files of one folder together: all of them, or none.

The originals are kept as ``<name>.bak`` (``.bak.1``, ``.bak.2`` when there is one already, so that
``.bak`` stays the first version for ever). A journal is written before anything is touched; a
rename of the kept original over the new file puts things back, after an exception here or, when
the process was killed, in `restore`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit import storage
from toolkit.errors import DatasetError

_JOURNAL = ".replace.journal.json"
_FORMAT_VERSION = 1


def replace_files(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Writes several files of a folder, keeping the originals; all of them, or none.

    Args:
        folder: the folder.
        texts: file name -> its new text.

    Returns:
        The kept originals, in the order of `texts`.

    Raises:
        DatasetError: the folder cannot be written to.
    """
    try:
        return _replace(folder, texts)
    except OSError as error:
        raise DatasetError(
            f"{', '.join(texts)} cannot be written in {folder}: {error.strerror or error}. "
            "Converting and splitting rewrite the lists of a dataset; give the rights, or work on "
            "a copy."
        ) from error


def _replace(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    restore(folder)
    entries = [_entry(folder, name) for name in texts]
    record = {"format_version": _FORMAT_VERSION, "files": entries}
    try:
        storage.write_json(folder / _JOURNAL, record)
        for entry in entries:
            storage.write_text(folder / entry["new"], texts[entry["name"]])
            if entry["backup"]:
                storage.write_bytes(
                    folder / entry["backup"], folder.joinpath(entry["name"]).read_bytes()
                )
        for entry in entries:
            folder.joinpath(entry["new"]).replace(folder / entry["name"])
        folder.joinpath(_JOURNAL).unlink()
    except BaseException:
        restore(folder)
        raise
    return [folder / entry["backup"] for entry in entries if entry["backup"]]


def restore(folder: Path) -> bool:
    """Puts back the files of a `replace_files` that did not come to its end.

    Every step can be repeated, so being killed in here does no harm either.

    Returns:
        True when there was something to put back.

    Raises:
        DatasetError: the journal is of a later version of this package.
    """
    journal = Path(folder) / _JOURNAL
    if not journal.exists():
        return False
    record = storage.read_json(journal)
    if record["format_version"] != _FORMAT_VERSION:
        raise DatasetError(
            f"{journal} has format version {record['format_version']}, expected {_FORMAT_VERSION}. "
            "It was written by another version of this package; run that one once more."
        )
    for entry in record["files"]:
        _put_back(journal.parent, entry)
    journal.unlink()
    return True


def _put_back(folder: Path, entry: dict[str, Any]) -> None:
    new = folder / entry["new"]
    if entry["backup"] is None:
        # There was no original: a file that has left its new name is ours to remove.
        if not new.exists():
            folder.joinpath(entry["name"]).unlink(missing_ok=True)
    elif folder.joinpath(entry["backup"]).exists():
        # The backup was not there when the journal was written, so it is the original.
        folder.joinpath(entry["backup"]).replace(folder / entry["name"])
    new.unlink(missing_ok=True)


def _entry(folder: Path, name: str) -> dict[str, Any]:
    backup = _free_backup(folder, name) if folder.joinpath(name).exists() else None
    return {"name": name, "new": f".{name}.new", "backup": backup}


def _free_backup(folder: Path, name: str) -> str:
    backup, number = f"{name}.bak", 0
    while folder.joinpath(backup).exists():
        number += 1
        backup = f"{name}.bak.{number}"
    return backup
