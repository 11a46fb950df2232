"""Short names for content: which weights, which file made this vector.

A fingerprint is the first 16 hex digits of a SHA-256: 64 bits, enough to tell models apart, not
meant against an attacker.
"""

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


def sha256_file(path: Path | str) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hex digits."""
    return digest_file(path, "sha256")


def digest_file(path: Path | str, algorithm: str) -> str:
    """Returns a checksum in hex, reading the file in blocks of 1 MiB.

    Args:
        path: the file.
        algorithm: ``sha256``, or ``md5``, which proves nothing against an attacker.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    # Always the same memory: new pages take as long as the sum.
    block = memoryview(bytearray(_BLOCK))
    with Path(path).open("rb", buffering=0) as file:
        while size := file.readinto(block):
            digest.update(block[:size])
    return digest.hexdigest()


def fingerprint_bytes(data: bytes) -> str:
    """Returns the fingerprint of bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def fingerprint_file(path: Path | str) -> str:
    """Returns the fingerprint of a file's bytes."""
    return sha256_file(path)[:16]
