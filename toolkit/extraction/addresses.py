"""From a row to the bytes of its picture: local files, object stores, HTTP, base64.

Only what is allowed is opened: a path is followed to where it really is and must be below a root,
and an object must be in a bucket of the list.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toolkit.errors import FetchError, ImageError, import_optional
from toolkit.extraction.records import FileSlice, Record

Cause = Literal["forbidden", "missing", "unreadable", "too large", "network", "row"]
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_STORES = ("oss", "s3")


class ReadError(ImageError):
    """The bytes of one picture cannot be had.

    Args:
        message: what happened.
        cause: which kind of trouble it is, for counting.
    """

    def __init__(self, message: str, cause: Cause) -> None:
        super().__init__(message)
        self.cause: Cause = cause


@dataclass(frozen=True)
class Addresses:
    """What may be read, and how.

    Attributes:
        folder: relative paths start here.
        roots: folders that local files must be below; None allows any.
        buckets: names of buckets that may be read; None allows any.
        oss_root: folder in which ``oss://bucket/key`` is ``bucket/key``; None asks the store.
        stores: options of fsspec for ``s3://`` and ``oss://``: endpoint, keys.
        timeout: seconds to wait for a server, and for each block that it sends.
        deadline: seconds that one picture may take altogether over HTTP.
        max_bytes: larger files are not read.
    """

    folder: Path = field(default_factory=Path)
    roots: tuple[Path, ...] | None = None
    buckets: tuple[str, ...] | None = None
    oss_root: Path | None = None
    stores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timeout: float = 10.0
    deadline: float = 60.0
    max_bytes: int = 100_000_000

    def read(self, record: Record) -> bytes:
        """Returns the bytes of a picture.

        Raises:
            ReadError: they cannot be had; the cause is one of few words.
            ExtraError: the package that speaks to the object store is not installed.
        """
        if record.kind == "broken":
            raise ReadError(str(record.content), "row")
        if isinstance(record.content, bytes):
            return self._checked(record.content, record.name)
        if isinstance(record.content, FileSlice):
            return self._inside(record.content, record.name)
        if record.kind == "base64":
            return self._checked(_from_base64(record.content), record.name)
        return self._at(record.content)

    def is_remote(self, record: Record) -> bool:
        """Tells whether a picture comes over the network."""
        found = _SCHEME.match(record.content) if isinstance(record.content, str) else None
        if record.kind != "address" or found is None:
            return False
        return not (found[1].lower() == "oss" and self.oss_root is not None)

    def _at(self, address: str) -> bytes:
        found = _SCHEME.match(address)
        scheme = found[1].lower() if found else ""
        if scheme in ("http", "https"):
            return self._over_http(address)
        if scheme in _STORES:
            return self._from_store(scheme, address)
        if found:
            known = "a path, http://, https://, oss:// or s3://"
            raise ReadError(f"{address}: cannot be read; expected {known}.", "row")
        return self._file(self.folder / address, self.roots, address)

    def _file(self, path: Path, roots: tuple[Path, ...] | None, address: str) -> bytes:
        try:
            # Links and dots are followed first: what counts is where the file is.
            real = Path(os.path.realpath(path))
            if roots is not None and not any(real.is_relative_to(root) for root in roots):
                allowed = ", ".join(map(str, roots))
                raise ReadError(
                    f"{address}: lies outside of what is allowed ({allowed}).", "forbidden"
                )
            with real.open("rb") as file:
                data = file.read(self.max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ReadError(f"{address}: there is no such file.", "missing") from error
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            reason = getattr(error, "strerror", None) or error
            raise ReadError(
                f"{address}: the file cannot be read ({reason}).", "unreadable"
            ) from error
        return self._checked(data, address)

    def _inside(self, place: FileSlice, name: str) -> bytes:
        if place.size > self.max_bytes:
            raise self._too_large(name)
        try:
            with Path(place.path).open("rb") as file:
                file.seek(place.offset)
                data = file.read(place.size)
        except OSError as error:
            said = f"{name}: {place.path} cannot be read ({error.strerror})."
            raise ReadError(said, "unreadable") from error
        return data

    def _over_http(self, address: str) -> bytes:
        # Here, because the parts of Python that speak HTTPS are slow to import.
        from toolkit.fetch.http import fetch_bytes

        try:
            return fetch_bytes(
                address, timeout=self.timeout, max_bytes=self.max_bytes, deadline=self.deadline
            )
        except FetchError as error:
            cause: Cause = "too large" if "serves more than" in error.reason else "network"
            raise ReadError(error.reason, cause) from error

    def _from_store(self, scheme: str, address: str) -> bytes:
        bucket, _, key = address[len(scheme) + 3 :].partition("/")
        if self.buckets is not None and bucket not in self.buckets:
            allowed = ", ".join(self.buckets) or "none"
            raise ReadError(
                f"{address}: bucket {bucket!r} is not allowed ({allowed}).", "forbidden"
            )
        if bucket in ("", ".", "..") or not key:
            raise ReadError(f"{address}: expected {scheme}://bucket/key.", "row")
        if scheme == "oss" and self.oss_root is not None:
            root = Path(os.path.realpath(self.oss_root / bucket))
            return self._file(root / key, (root,), address)
        return self._checked(self._object(scheme, f"{bucket}/{key}", address), address)

    def _object(self, scheme: str, key: str, address: str) -> bytes:
        filesystem = _store(self.stores.get(scheme, {}))
        try:
            with filesystem.open(key, "rb") as file:
                data: bytes = file.read(self.max_bytes + 1)
        except FileNotFoundError as error:
            raise ReadError(f"{address}: there is no such object.", "missing") from error
        except PermissionError as error:
            raise ReadError(f"{address}: access is denied ({error}).", "forbidden") from error
        except Exception as error:  # what a store raises has no class of its own in common
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ReadError(f"{address}: the store answered: {reason}.", "network") from error
        return data

    def _checked(self, data: bytes, name: str) -> bytes:
        if len(data) > self.max_bytes:
            raise self._too_large(name)
        return data

    def _too_large(self, name: str) -> ReadError:
        said = f"{name}: more than {self.max_bytes:,} bytes, which is Extract.max_bytes."
        return ReadError(said, "too large")


def _store(options: Mapping[str, Any]) -> Any:
    """Opens an S3-compatible store; fsspec keeps one connection for equal options."""
    purpose = "Reading from an object store"
    import_optional("s3fs", purpose=purpose)
    fsspec = import_optional("fsspec", purpose=purpose)
    return fsspec.filesystem("s3", **options)


def _from_base64(text: str) -> bytes:
    data = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReadError(f"this is no base64 ({error}).", "row") from error
