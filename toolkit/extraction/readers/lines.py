"""Lines of a text file with the places where they begin, so that a shard can be read by itself."""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.errors import DatasetError
from toolkit.extraction.records import Scan
from toolkit.fingerprint import fingerprint_file


def read_lines(
    path: Path, place: int = 0, *, whole: bool = False
) -> Iterator[tuple[int, int, str]]:
    """Yields (place in bytes, number, text without its line end) of the lines that are not blank.

    Args:
        path: a UTF-8 file, with or without a byte order mark; LF or CRLF.
        place: where to begin: the first byte of a line.
        whole: yield blank lines too, and every line with its end.

    Raises:
        DatasetError: the file cannot be read, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            file.seek(place)
            for number, raw in enumerate(file, 1):
                start, place = place, place + len(raw)
                text = _decoded(raw, path, number, is_first=start == 0)
                if whole:
                    yield start, number, text
                elif text.strip():
                    yield start, number, text.rstrip("\r\n")
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DatasetError:
    """Words that a list cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return DatasetError(f"{path}: there is no such list. Check Extract.input.")
    return DatasetError(f"{path}: the list cannot be read ({error.strerror or error}).")


def scan_places(rows: Iterable[int], fingerprint: str, shard_size: int) -> Scan:
    """Counts rows, and keeps the place of each shard's first."""
    count, places = 0, list[int]()
    for place in rows:
        if count % shard_size == 0:
            places.append(place)
        count += 1
    return Scan(fingerprint, count, places)


def fingerprint_of(path: Path) -> str:
    """Returns the fingerprint of a list's bytes.

    Raises:
        DatasetError: it is not there.
    """
    try:
        return fingerprint_file(path)
    except OSError as error:
        raise unreadable(path, error) from error


def changed_at(path: Path) -> str:
    """Returns a fingerprint of a file that is too large to be read for one: its size and time.

    Raises:
        DatasetError: it is not there.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return f"{facts.st_size} bytes of {facts.st_mtime_ns}"


def _decoded(raw: bytes, path: Path, number: int, *, is_first: bool) -> str:
    if is_first:
        raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}:{number}: not UTF-8 (byte {error.start + 1} of the line is "
            f"0x{raw[error.start]:02x}). Save the list as UTF-8."
        ) from error
    if "\0" in text:
        raise DatasetError(f"{path}:{number}: holds a zero byte; save the list as UTF-8 text.")
    return text
