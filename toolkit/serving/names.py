"""Names that come from clients and become files: none of them leaves its folder."""

import re
from pathlib import Path, PurePosixPath

from toolkit.serving.problems import Kind, Problem

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
_SCHEME = "oss://"
_LONGEST = 255


def is_name(text: str) -> bool:
    """Tells whether a text may name a database or a folder.

    It may not begin with a dot: hidden files are ours.
    """
    return _NAME.fullmatch(text) is not None


def database_name(text: str) -> str:
    """Returns the name of a database.

    Raises:
        Problem: it is none.
    """
    if not is_name(text):
        raise Problem(
            Kind.WRONG_VALUE,
            f"{text[:80]!r} cannot name a database: expected 1 to 64 of the letters A-Z and a-z, "
            "digits, _, - and ., and no dot at the beginning.",
        )
    return text


def relative_path(text: str, what: str) -> PurePosixPath:
    """Returns a path below a folder, such as ``shoes/12.jpg``.

    Raises:
        Problem: it leads elsewhere, or has characters that file names should not have.
    """
    path = PurePosixPath(text)
    if not text or len(text) > _LONGEST or not all(is_name(part) for part in path.parts):
        raise Problem(
            Kind.WRONG_VALUE,
            f"{what} {text[:80]!r} is no path that can be used: expected names of A-Z, a-z, 0-9, "
            "_, - and ., none beginning with a dot, with / between them.",
        )
    return path


def oss_folder(address: str, root: Path) -> Path:
    """Returns the folder that stands for ``oss://bucket/prefix/``.

    Args:
        address: the address; ``oss://bucket`` is enough.
        root: the folder that buckets are in.

    Raises:
        Problem: it is no such address, or leads out of the root.
    """
    if not address.startswith(_SCHEME):
        raise Problem(
            Kind.WRONG_VALUE, f"root_path {address[:80]!r}: expected oss://bucket/folder/."
        )
    folder = root / relative_path(address.removeprefix(_SCHEME).strip("/"), "root_path")
    # A link that somebody has put there could lead anywhere.
    if not folder.resolve().is_relative_to(root.resolve()):
        raise Problem(Kind.FORBIDDEN, f"root_path {address!r} leads out of the service's folder.")
    return folder
