"""A file or an unpacked archive from an address: downloaded on first use, resumed when cut off.

While it arrives, a download is `.<name>.part`; `.<name>.part.json` holds what the server said of
the whole file, so that any later process can go on where this one was stopped.
"""

import base64
import binascii
import http.client
import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import HTTPError

from toolkit.archives import unpack
from toolkit.errors import ToolkitError
from toolkit.fetch.http import IncompleteError, open_address, read_blocks, with_tries
from toolkit.fetch.lock import locked
from toolkit.fetch.options import FetchOptions, ways_out
from toolkit.fetch.record import check_record, keep_record
from toolkit.fingerprint import digest_file
from toolkit.storage import read_json, write_json

_LOG = logging.getLogger(__name__)
_TIMEOUT = 5.0
_FORMAT = 1
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_MD5_TAG = re.compile(r'"?([0-9a-fA-F]{32})"?')

Progress = Callable[[int, int | None], None]
"""Called with (bytes so far, bytes in all or None): when a try starts, and after every block."""


def download(
    url: str,
    target: Path,
    *,
    options: FetchOptions,
    timeout: float = _TIMEOUT,
    progress: Progress | None = None,
    record: bool = True,
) -> Path:
    """Returns a file, downloading it when it is not there yet.

    Args:
        url: an http(s) address.
        target: where it is, or goes; the folders above are created.
        options: mirror, and whether a file that is there is verified.
        timeout: seconds to wait for a connection, and for each block.
        progress: told how far it is; a lower number than before means that it starts again.
        record: keep its sha256 and compare later uses with it; not for what people will change.

    Returns:
        `target`.

    Raises:
        FetchError: it cannot be had, the message says what was tried and the ways out; or what is
            there is not what it was on its first use.
    """
    if not target.is_file():
        address = options.address(url)
        with locked(target):
            if not target.is_file():
                _fetch(address, target, timeout, progress)
                if record:
                    keep_record(target, url)
                return target
    if record:
        check_record(target, verify=options.verify)
    return target


def download_archive(
    url: str,
    target: Path,
    *,
    options: FetchOptions,
    accept: Callable[[Path], None] = lambda _: None,
    timeout: float = _TIMEOUT,
    progress: Progress | None = None,
    record: bool = True,
) -> Path:
    """Returns the folder of an unpacked tar archive, downloading it when it is not there yet.

    Args:
        url: an http(s) address of a tar archive.
        target: the folder; a folder around all files of the archive is left out.
        options: as for `download`.
        accept: raises where the unpacked folder is not what is wanted; it is then not kept.
        timeout: as for `download`.
        progress: as for `download`.
        record: as for `download`.

    Raises:
        FetchError: as for `download`.
        ArchiveError: the archive is damaged or hostile.
    """
    if not target.is_dir():
        address = options.address(url)
        archive = target.with_name(f".{target.name}.tar")
        with locked(target):
            if not target.is_dir():
                if not archive.is_file():
                    _fetch(address, archive, timeout, progress)
                try:
                    unpack(archive, target, accept=accept)
                finally:  # a bad one would be met again
                    archive.unlink(missing_ok=True)
                if record:
                    keep_record(target, url)
                return target
    if record:
        check_record(target, verify=options.verify)
    return target


@dataclass(frozen=True)
class _Promise:
    """What a server said of the whole file.

    Attributes:
        address: what was asked.
        validator: the tag or date that tells this version of the file from another; None if the
            server gives neither, so that it cannot be gone on with.
        length: bytes in all.
        md5: in hex.
        origin: the header that `md5` is from.
    """

    address: str
    validator: str | None
    length: int | None
    md5: str | None
    origin: str = ""


def _fetch(address: str, target: Path, timeout: float, progress: Progress | None) -> None:
    part = target.with_name(f".{target.name}.part")
    notes = _notes(part)
    out = ways_out(
        "give the path of a local copy in place of the address, or null where that is allowed",
        f"put the file at {str(target)!r} by hand",
    )

    def attempt() -> None:
        _receive(address, part, timeout, progress or _ignore)
        part.replace(target)
        notes.unlink(missing_ok=True)

    _LOG.info("Downloading %s", address)
    try:
        with_tries(address, attempt, timeout=timeout, ways_out=out, reached=lambda: _size(part))
    except ToolkitError:
        if _kept_promise(part, address) is None:  # nobody can go on with it
            _discard(part)
        raise


def _receive(address: str, part: Path, timeout: float, progress: Progress) -> None:
    """Completes `part`, going on where it ends if this is the file that it began as."""
    promise = _kept_promise(part, address)
    offset = _size(part) if promise else 0
    if promise is None or offset != promise.length:
        promise = _continue(address, part, promise, timeout, progress)
    size = _size(part)
    if promise.length is not None and size != promise.length:
        _discard(part)
        raise IncompleteError(f"{size:,} bytes arrived, {promise.length:,} were announced")
    if promise.md5 is not None and (found := digest_file(part, "md5")) != promise.md5:
        _discard(part)
        raise IncompleteError(
            f"the bytes are damaged: their MD5 is {found}, the server's {promise.origin} says "
            f"{promise.md5}"
        )


def _continue(
    address: str, part: Path, promise: _Promise | None, timeout: float, progress: Progress
) -> _Promise:
    offset = _size(part) if promise else 0
    headers = {}
    if promise is not None and promise.validator is not None and offset:
        headers = {"Range": f"bytes={offset}-", "If-Range": promise.validator}
    try:
        response = open_address(address, timeout, headers)
    except HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not headers:
            raise
        error.close()
        response, headers = open_address(address, timeout), {}
    with response:
        if headers and response.status == http.client.PARTIAL_CONTENT:
            if promise is not None and _goes_on(response, promise, offset):
                _LOG.info("Going on after %s bytes of %s.", f"{offset:,}", address)
                _append(response, part, offset, promise, progress)
                return promise
            _discard(part)
            raise IncompleteError("the file has changed on the server; it is begun again")
        if response.status != http.client.OK:
            raise ValueError(f"the server answered {response.status} to a plain request")
        promise = _read_promise(address, response)
        # Emptied before the notes change: a kill in between must not leave new notes on old bytes.
        part.write_bytes(b"")
        write_json(_notes(part), {"format_version": _FORMAT, **asdict(promise)})
        _append(response, part, 0, promise, progress)
    return promise


def _append(
    response: http.client.HTTPResponse,
    part: Path,
    offset: int,
    promise: _Promise,
    progress: Progress,
) -> None:
    done = offset
    progress(done, promise.length)
    with part.open("ab") as file:
        for block in read_blocks(response):
            file.write(block)
            done += len(block)
            progress(done, promise.length)
        file.flush()
        os.fsync(file.fileno())


def _goes_on(response: http.client.HTTPResponse, promise: _Promise, offset: int) -> bool:
    """Tells whether a partial answer begins where we are, in the file that we have."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset:
        return False
    tags = (response.headers.get("ETag"), response.headers.get("Last-Modified"))
    return tags == (None, None) or promise.validator in tags


def _read_promise(address: str, response: http.client.HTTPResponse) -> _Promise:
    tag = response.headers.get("ETag", "")
    # A weak tag says that two files mean the same, not that they are the same bytes (RFC 9110).
    strong = tag if tag.startswith('"') else None
    validator = strong or response.headers.get("Last-Modified")
    md5, origin = _content_md5(response.headers.get("Content-MD5", "")), "Content-MD5"
    if md5 is None and (match := _MD5_TAG.fullmatch(tag)):
        md5, origin = match[1].lower(), "ETag"
    return _Promise(address, validator, response.length, md5, origin)


def _content_md5(text: str) -> str | None:
    """Returns the header's checksum in hex; None where it holds none (RFC 1864: base64)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == 16 else None


def _kept_promise(part: Path, address: str) -> _Promise | None:
    """Returns what was promised of the bytes in `part`; None where they are of no use."""
    try:
        notes = read_json(_notes(part))
        if notes.pop("format_version") == _FORMAT and _size(part):
            promise = _Promise(**notes)
            if promise.address == address and promise.validator is not None:
                return promise
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        pass
    except (AttributeError, KeyError, TypeError):  # JSON of something else
        pass
    return None


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _ignore(_done: int, _total: int | None) -> None:
    """Nobody wants to know."""
