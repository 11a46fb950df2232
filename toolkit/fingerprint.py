"""Short names for content: which weights, which preprocessing, which file made this vector.

A fingerprint is the first 16 hex digits of a SHA-256: 64 bits, enough to tell models apart, not
meant against an attacker.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Returns the fingerprint of plain facts (JSON types); the order of keys does not matter."""
    canonical = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]
