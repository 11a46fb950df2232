"""What both sides of `benchmarks.check` find, and the curve of the near-duplicate search."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.check_pictures import VARIANTS, faults, many_thumbnails, variants
from benchmarks.check_work import peer, toolkit
from benchmarks.measure import Table
from toolkit.audit.look_alikes import look_alikes
from toolkit.audit.measure import measure
from toolkit.audit.options import AuditOptions
from toolkit.audit.window_codes import SIDE, WINDOWS
from toolkit.data.decode import decode
from toolkit.runtime import cores_allowed

# Issue type of the peer -> our codes for the same thing.
_EQUIVALENT = {
    "dark": ("image.dark", "image.dim"),
    "light": ("image.light", "image.pale"),
    "odd_aspect_ratio": ("image.extreme_aspect", "image.elongated"),
    "odd_size": ("image.odd_size", "image.uncommon_size", "image.too_small"),
    "low_information": ("image.low_information", "image.plain"),
    "blurry": ("image.blurred", "image.soft"),
    "grayscale": ("image.grey",),
    "exact_duplicates": ("duplicate.within_split",),
    "near_duplicates": ("near_duplicate.within_split",),
}
# Photographs that stand beside the planted faults.
_BESIDE = 300


def parity_table(files: Sequence[Path], each: int, folder: Path) -> Table:
    """Counts, for each issue type, the planted pictures and what the two sides report."""
    place = folder / f"faults_{each}"
    place.mkdir(parents=True, exist_ok=True)
    planted: dict[str, list[Path]] = {}
    for number, (kind, suffix, data) in enumerate(faults(files, each)):
        path = place / f"{number:04}_{kind}.{suffix}"
        path.write_bytes(data)
        planted.setdefault(kind, []).append(path)
    everything = [*files[:_BESIDE], *(path for paths in planted.values() for path in paths)]
    theirs, ours = peer(everything, folder, cores_allowed()), toolkit(everything, folder)
    looks = [code for codes in list(_EQUIVALENT.values())[:7] for code in codes]
    rows = []
    for kind, codes in _EQUIVALENT.items():
        reported, found = set(theirs["issues"][kind]), _absolute(ours.files(codes))
        other = (reported - found) & _absolute(ours.files(looks))
        row = [len(planted[kind]), len(reported), len(reported & found), len(other)]
        row += [len(found), len(found - reported)]
        rows.append([kind, ", ".join(codes), *map(str, row)])
    header = ["cleanvision", "ours", "planted", "theirs", "of these ours", "ours by another remark",
              "ours", "ours alone"]  # fmt: skip
    return Table(f"Pictures reported, of {len(everything):,}", header, rows)


def near_duplicate_table(files: Sequence[Path], varied: int, folder: Path) -> Table:
    """Plants variants among all photographs; recall and precision of each kind, and the peer's."""
    place = folder / f"variants_{varied}"
    place.mkdir(parents=True, exist_ok=True)
    kinds, origins, paths = [], [], []
    for number, (kind, origin, data) in enumerate(variants(files[:varied])):
        path = place / f"{number:05}.jpg"
        path.write_bytes(data)
        kinds.append(kind)
        origins.append(origin)
        paths.append(path)
    thumbnails = _thumbnails([*files, *paths])
    right, wrong = dict.fromkeys(VARIANTS, 0), dict.fromkeys(VARIANTS, 0)
    start = len(files)
    for first, second in _pairs(thumbnails):
        # Of a photograph and a variant; the others say the same twice.
        if first < start <= second:
            counted = right if origins[second - start] == first else wrong
            counted[kinds[second - start]] += 1
    known = _peer_recall([*files[:varied], *paths], [*range(varied), *origins], kinds, folder)
    rows = [
        [
            kind,
            f"{right[kind] / varied:.3f}",
            _share(right[kind], wrong[kind]),
            f"{known[kind]:.3f}",
        ]
        for kind in VARIANTS
    ]
    total, false = sum(right.values()), sum(wrong.values())
    rows.append(["all", f"{total / varied / len(VARIANTS):.3f}", _share(total, false), ""])
    title = f"Near duplicates: {varied} photographs in {len(VARIANTS)} variants among {start:,}"
    return Table(title, ["variant", "recall", "precision", "cleanvision's recall"], rows)


def curve_table(files: Sequence[Path], numbers: Sequence[int]) -> Table:
    """Times the search for near duplicates, with the exponent from each number to the next."""
    many = many_thumbnails(_thumbnails(files), max(numbers))
    rows: list[list[str]] = []
    before: tuple[int, float] | None = None
    for number in numbers:
        started = time.perf_counter()
        pairs = sum(1 for _ in _pairs(many[:number]))
        seconds = time.perf_counter() - started
        exponent = "-"
        if before is not None:
            exponent = f"{np.log(seconds / before[1]) / np.log(number / before[0]):.2f}"
        each = f"{seconds / number * 1000:.3f}"
        rows.append([f"{number:,}", f"{seconds:.2f}", each, exponent, str(pairs)])
        before = (number, seconds)
    title = f"Search for near duplicates, {len(WINDOWS)} codes a picture, no decoding"
    return Table(title, ["pictures", "seconds", "ms a picture", "exponent", "pairs"], rows)


def _pairs(thumbnails: NDArray[np.uint8]) -> list[tuple[int, int]]:
    options = AuditOptions()
    found = look_alikes(
        thumbnails,
        radius=options.near_duplicate_radius,
        least_agreement=options.near_duplicate_correlation,
    )
    return [(min(pair.part, pair.whole), max(pair.part, pair.whole)) for pair in found]


def _peer_recall(
    paths: Sequence[Path], origins: Sequence[int], kinds: Sequence[str], folder: Path
) -> dict[str, float]:
    """Returns the share of the variants of each kind that share a set with their photograph."""
    number = {str(path): place for place, path in enumerate(paths)}
    varied = len(paths) - len(kinds)
    hits = dict.fromkeys(VARIANTS, 0)
    result = peer(paths, folder, cores_allowed())
    for group in [*result["sets"]["near_duplicates"], *result["sets"]["exact_duplicates"]]:
        members = {number[path] for path in group}
        for member in members:
            if member >= varied and origins[member] in members:
                hits[kinds[member - varied]] += 1
    return {kind: count / varied for kind, count in hits.items()}


def _thumbnails(files: Sequence[Path]) -> NDArray[np.uint8]:
    octets = b"".join(measure(decode(file.read_bytes())).thumbnail for file in files)
    return np.frombuffer(octets, np.uint8).reshape(-1, SIDE, SIDE)


def _absolute(files: set[str]) -> set[str]:
    return {f"/{file}" for file in files}


def _share(right: int, wrong: int) -> str:
    return f"{right / (right + wrong):.3f}" if right + wrong else "-"
