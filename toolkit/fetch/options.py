"""Where downloads are kept and where official files are asked for, as one value that is handed on.

A configuration goes before the environment: ``Global.cache_dir`` before ``TOOLKIT_CACHE_HOME``, and
``Global.mirror`` before ``TOOLKIT_MIRROR``.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from toolkit.errors import FetchError

CACHE_VARIABLE, MIRROR_VARIABLE = "TOOLKIT_CACHE_HOME", "TOOLKIT_MIRROR"
_PADDLEX_VARIABLE = "PADDLE_PDX_CACHE_HOME"
# The object store that all official models, weights and examples are in; one host a bucket.
_OFFICIAL_DOMAIN = ".bcebos.com"
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class FetchOptions:
    """How files are fetched.

    Attributes:
        cache: folder for everything that is downloaded.
        mirror: base address that is asked in place of the official hosts; None asks those.
        verify: compute the sha256 of a kept file again even if nothing hints at a change.
    """

    cache: Path
    mirror: str | None = None
    verify: bool = False

    @classmethod
    def from_environment(
        cls, cache_dir: str | None = None, mirror: str | None = None, *, verify: bool = False
    ) -> "FetchOptions":
        """Fills what is not given from the environment, and the rest with defaults.

        Args:
            cache_dir: the folder; None takes ``TOOLKIT_CACHE_HOME``, else ``~/.cache/...``.
            mirror: the base address; None takes ``TOOLKIT_MIRROR``, else none.
            verify: see the class.
        """
        folder = cache_dir or os.environ.get(CACHE_VARIABLE)
        default = Path.home() / ".cache" / "image-retrieval-toolkit"
        cache = Path(folder).expanduser() if folder else default
        return cls(cache, mirror or os.environ.get(MIRROR_VARIABLE) or None, verify)

    def model_folders(self) -> tuple[Path, Path]:
        """Returns where official models are looked for: our own cache, then PaddleX's.

        ``PADDLE_PDX_CACHE_HOME`` moves the second, as it does for PaddleX. A download goes to the
        first.
        """
        paddlex = os.environ.get(_PADDLEX_VARIABLE) or Path.home() / ".paddlex"
        return self.cache / "official_models", Path(paddlex) / "official_models"

    def address(self, url: str) -> str:
        """Returns the address that is really asked for.

        With a mirror M, ``https://<any>.bcebos.com/path?query`` becomes ``M/path?query``: scheme,
        host and port are replaced, path and query stay. Other hosts are asked as they are given.

        Raises:
            FetchError: the mirror is no http(s) address.
        """
        parts = split_address(url)
        if self.mirror is None or not (parts.hostname or "").endswith(_OFFICIAL_DOMAIN):
            return url
        split_address(self.mirror, f" (the mirror, from Global.mirror or {MIRROR_VARIABLE})")
        return self.mirror.rstrip("/") + parts._replace(scheme="", netloc="").geturl()


def ways_out(own: str, by_hand: str) -> str:
    """Returns the three ways out of a download that fails, as one sentence.

    Args:
        own: how to do without the download.
        by_hand: what to put where.
    """
    mirror = f"name a mirror with Global.mirror or {MIRROR_VARIABLE}"
    return f"Ways out: (1) {own}; (2) {by_hand}; (3) {mirror}."


def split_address(url: str, origin: str = "") -> SplitResult:
    """Splits an http(s) address.

    Args:
        url: the address.
        origin: where it came from, for the message.

    Raises:
        FetchError: it is of another kind.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() in _SCHEMES and parts.hostname:
            return parts
    except ValueError:  # a bracket that is not an IPv6 address
        pass
    raise FetchError(f"{url!r} is not an http:// or https:// address{origin}.")
