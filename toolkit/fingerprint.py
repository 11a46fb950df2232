"""Short names for content: which weights, which file made this vector.

A fingerprint is the first 16 hex digits of a SHA-256: 64 bits, enough to tell models apart, not
meant against an attacker.
"""

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


def sha256_file(path: Path | str) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hex digits, reading it in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fingerprint_file(path: Path | str) -> str:
    """Returns the fingerprint of a file's bytes."""
    return sha256_file(path)[:16]
