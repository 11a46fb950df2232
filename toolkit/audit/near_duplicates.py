"""Checks for pictures of two lists that look the same without being the same pixels."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.audit.examination import Examination, Row
from toolkit.audit.findings import Finding, found
from toolkit.audit.hamming_search import HammingIndex
from toolkit.audit.options import AuditOptions
from toolkit.audit.perceptual_hash import correlations

# Pictures, and then candidates, that are looked at at once: bounds the memory.
_BLOCK = 4096
# Each pair as the name of its code, then the list that is searched and the list that is warned of.
_PAIRS = (
    ("train_gallery", "train", "gallery"),
    ("train_query", "train", "query"),
    ("query_gallery", "gallery", "query"),
)


def check_near_duplicates(examination: Examination) -> Iterator[Finding]:
    """Finds, for each picture of gallery and query, those of another list that look the same.

    A pair is proposed by its perceptual hashes and confirmed by its thumbnails; hashes alone take
    simple drawings for one another. Exact duplicates are left to their own check. Two pictures that
    query and gallery both name belong to one set that is searched in itself, and are no finding.
    """
    by_split: dict[str, list[Row]] = {"train": [], "gallery": [], "query": []}
    for row in examination.pictures:
        if row.picture is not None and row.picture.phash is not None:
            by_split.setdefault(row.split, []).append(row)
    for name, first, second in _PAIRS:
        own = examination.query_and_gallery if name == "query_gallery" else frozenset()
        searched, warned = by_split[first], by_split[second]
        strangers = [row for row in searched if row.file not in own]
        for rows, others in (
            ([row for row in warned if row.file not in own], searched),
            ([row for row in warned if row.file in own], strangers),
        ):
            if rows and others:
                yield from _between(examination, name, others, rows)


def _between(
    examination: Examination, name: str, searched: Sequence[Row], warned: Sequence[Row]
) -> Iterator[Finding]:
    index = HammingIndex(_hashes(searched))
    for start in range(0, len(warned), _BLOCK):
        block = warned[start : start + _BLOCK]
        for row, close in _matches(examination.options, index, searched, block):
            yield _finding(examination, name, row, close)


def _matches(
    options: AuditOptions, index: HammingIndex, searched: Sequence[Row], block: Sequence[Row]
) -> Iterator[tuple[Row, list[tuple[int, Row]]]]:
    """Yields each picture of a block that has matches, with (different bits, other picture)."""
    ours, theirs, bits = index.within(_hashes(block), options.near_duplicate_radius)
    matches: dict[int, list[tuple[int, Row]]] = {}
    for start in range(0, len(ours), _BLOCK):
        part = slice(start, start + _BLOCK)
        first = [block[i] for i in ours[part]]
        second = [searched[j] for j in theirs[part]]
        alike = correlations(_thumbnails(first), _thumbnails(second))
        sure = alike >= options.near_duplicate_correlation
        for k in np.flatnonzero(sure):
            if first[k].identity != second[k].identity:
                matches.setdefault(int(ours[start + k]), []).append(
                    (int(bits[start + k]), second[k])
                )
    return ((block[i], close) for i, close in matches.items())


def _hashes(rows: Sequence[Row]) -> NDArray[np.uint64]:
    hashes = [row.picture.phash for row in rows if row.picture and row.picture.phash is not None]
    return np.array(hashes, dtype=np.uint64)


def _thumbnails(rows: Sequence[Row]) -> NDArray[np.uint8]:
    octets = b"".join(row.picture.thumbnail for row in rows if row.picture)
    return np.frombuffer(octets, np.uint8).reshape(len(rows), -1)


def _finding(
    examination: Examination, name: str, row: Row, close: Sequence[tuple[int, Row]]
) -> Finding:
    rows = [row, *(other for _, other in close)]
    least = min(bits for bits, _ in close)
    others = ", ".join(
        f"{other.sample.path} ({other.line.file}:{other.line.line}, {bits} bits apart)"
        for bits, other in close
    )
    return found(
        f"near_duplicate.{name}",
        f"{row.sample.path} ({row.line.file}:{row.line.line}) looks the same as {others}.",
        split="+".join(name.split("_")),
        files=[each.sample.path for each in rows],
        lines=[line for each in rows for line in examination.lines_of[each.split, each.file]],
        label=row.sample.label,
        value=least,
        threshold=examination.options.near_duplicate_radius,
    )
