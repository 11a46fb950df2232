"""Facts that outlive a run: a file is decoded again only when its size or time has changed."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import PIL

from toolkit import storage
from toolkit.audit.facts import ImageFacts

LOG = logging.getLogger(__name__)

_FORMAT = 2


def read_facts(file: Path, *, max_pixels: int) -> dict[str, ImageFacts]:
    """Reads a cache.

    Args:
        file: JSON lines as `write_facts` makes them.
        max_pixels: facts that were gathered with another limit are not used.

    Returns:
        path -> facts; empty when there is no cache, it is of another format version, made by
        another decoder, or damaged.
    """
    if not file.is_file():
        return {}
    try:
        with file.open(encoding="utf-8") as lines:
            if json.loads(next(lines, "null")) != _header(max_pixels):
                return {}
            facts = [ImageFacts.from_json(json.loads(line)) for line in lines]
    except (OSError, KeyError, TypeError, ValueError) as error:
        LOG.warning("The cache %s cannot be used (%s); all files are decoded.", file, error)
        return {}
    return {fact.path: fact for fact in facts}


def write_facts(file: Path, facts: Iterable[ImageFacts], *, max_pixels: int) -> None:
    """Writes a cache, atomically."""
    with storage.atomic_path(file) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.write(_compact(_header(max_pixels)))
        for fact in facts:
            lines.write(_compact(fact.to_json()))


def is_current(facts: ImageFacts, size: int, mtime_ns: int) -> bool:
    """Whether facts are of the file as it is now."""
    return (facts.size, facts.mtime_ns) == (size, mtime_ns)


def _header(max_pixels: int) -> dict[str, object]:
    return {"format": _FORMAT, "decoder": f"Pillow {PIL.__version__}", "max_pixels": max_pixels}


def _compact(record: Mapping[str, object]) -> str:
    return json.dumps(record, ensure_ascii=True, separators=(",", ":")) + "\n"
