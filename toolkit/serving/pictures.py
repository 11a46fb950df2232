"""From what a client sends to the bytes of a picture: base64, an address in the store, a URL."""

import base64
import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import FetchError
from toolkit.extraction.addresses import Addresses, ReadError
from toolkit.extraction.records import Record
from toolkit.serving.problems import Kind, Problem

_STORE, _WEB = "oss://", ("http://", "https://")


@dataclass(frozen=True)
class PictureReader:
    """Reads pictures that clients name.

    Attributes:
        root: folder in which ``oss://bucket/key`` is ``bucket/key``.
        max_bytes: larger pictures are refused.
        store: options of fsspec for an object store; None for the folder.
        buckets: of that store that may be read; None for any.
        fetch: loads a URL; None refuses all.
    """

    root: Path
    max_bytes: int
    store: dict[str, object] | None = None
    buckets: tuple[str, ...] | None = None
    fetch: Callable[[str], bytes] | None = None

    def read(self, text: object, home: str, what: str = "image") -> bytes:
        """Returns the bytes of a picture.

        Args:
            text: base64 (a data URI too), ``oss://bucket/key``, or a URL.
            home: folder below the root that the client lives in.
            what: name of the parameter, for messages.

        Raises:
            Problem: it cannot be had.
        """
        if not isinstance(text, str) or not text:
            raise Problem(
                Kind.WRONG_VALUE, f"{what} is {text!r:.40}; expected base64 or an address, as text."
            )
        if text.startswith(_STORE):
            return self._stored(text, home)
        if text[:8].lower().startswith(_WEB):
            return self._fetched(text)
        return decoded(text, what)

    def _stored(self, address: str, home: str) -> bytes:
        root = None if self.store is not None else Path(os.path.realpath(self.root / home))
        addresses = Addresses(
            roots=(),
            buckets=self.buckets,
            oss_root=root,
            stores={"oss": self.store or {}},
            max_bytes=self.max_bytes,
        )
        if "\x00" in address or not address.isprintable():
            raise Problem(Kind.WRONG_VALUE, "The address has characters that no address has.")
        if any(part.startswith(".") for part in address.removeprefix(_STORE).split("/")):
            raise Problem(Kind.FORBIDDEN, f"{address[:200]}: hidden files are not read.")
        try:
            return addresses.read(Record(address, "address", address))
        except ReadError as error:
            kind = Kind.TOO_LARGE if error.cause == "too large" else Kind.NOT_FETCHED
            raise Problem(kind, _without(str(error), self.root)) from error

    def _fetched(self, url: str) -> bytes:
        if self.fetch is None:
            raise Problem(
                Kind.FORBIDDEN,
                "URLs are not fetched here (Serve.fetch_urls is false). Send the picture itself.",
            )
        try:
            return self.fetch(url)
        except FetchError as error:
            raise Problem(Kind.NOT_FETCHED, str(error)) from error


def decoded(text: str, what: str = "image") -> bytes:
    """Returns the bytes behind base64, with line breaks or as a data URI too.

    Raises:
        Problem: it is no base64.
    """
    body = text.partition(",")[2] if text[:5].lower() == "data:" else text
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(
            Kind.BAD_PICTURE, f"{what} is neither base64 ({error}) nor an address."
        ) from error
    if not data:
        raise Problem(Kind.BAD_PICTURE, f"{what} is empty.")
    return data


def _without(message: str, root: Path) -> str:
    """Leaves out where the service keeps its files."""
    return message.replace(f"{os.path.realpath(root)}{os.sep}", "").replace(f"{root}{os.sep}", "")
