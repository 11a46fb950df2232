"""Who may do what: secrets, and the folder that each of them lives in."""

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.errors import ConfigError
from toolkit.serving.names import is_name

VARIABLE = "TOOLKIT_TOKEN"
Access = Literal["read", "write"]


@dataclass(frozen=True)
class Client:
    """Somebody who has shown a token.

    Attributes:
        name: first digits of the token's SHA-256, for logs and limits.
        access: ``read`` searches and matches; ``write`` also changes databases.
        home: folder below ``Serve.root`` that is everything to this client; empty is the root.
    """

    name: str
    access: Access
    home: str = ""


class Tokens:
    """The tokens of a service; only their digests are kept.

    Args:
        lines: a token each, behind it ``read`` or ``write`` (the default), and behind that the
            folder of its databases. Empty lines and those that begin with # are left out.

    Raises:
        ConfigError: a line is malformed; the message does not show the token.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._clients: list[tuple[bytes, Client]] = []
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                self._clients.append(_read(line.split(), number))

    @classmethod
    def given(cls, file: str | None) -> "Tokens":
        """Reads the file, or the variable ``TOOLKIT_TOKEN`` (lines or commas) without one.

        Raises:
            ConfigError: the file cannot be read, or there is no token.
        """
        text = os.environ.get(VARIABLE, "").replace(",", "\n")
        if file is not None:
            try:
                text = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"Serve.token_file {file!r} cannot be read: {error}.") from error
        tokens = cls(text.splitlines())
        if not tokens._clients:
            raise ConfigError(
                f"There is no token: set {VARIABLE}, or Serve.token_file to a file with a token a "
                "line (python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one), or "
                "let everybody in with Serve.without_token=true."
            )
        return tokens

    def client(self, shown: str | None) -> Client | None:
        """Returns who shows this; None for nobody.

        All digests are compared, each in constant time: how long it takes tells nothing.

        Args:
            shown: the header Authorization: a token alone, as PAI has it, or behind ``Bearer``.
        """
        scheme, _, rest = (shown or "").strip().partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else (shown or "").strip()
        digest, found = _digest(token), None
        for known, client in self._clients:
            if hmac.compare_digest(known, digest):
                found = client
        return found


def _read(words: list[str], number: int) -> tuple[bytes, Client]:
    token, access, home, *more = [*words, "", ""][: max(3, len(words))]
    if more or access not in ("", "read", "write") or (home and not is_name(home)):
        raise ConfigError(
            f"Token number {number} is malformed: expected a token, then read or write, then the "
            "name of a folder; the last two may be left out."
        )
    digest = _digest(token)
    return digest, Client(digest.hex()[:8], "read" if access == "read" else "write", home)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
