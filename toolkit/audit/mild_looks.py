"""Remarks on looks that are a matter of degree: told once a list, with all pictures named.

What is worth a warning is told a picture at a time by `toolkit.audit.pixels`. Here the thresholds
are those at which cleanvision 0.3 begins to report (its defaults, as measured by it: brightness by
percentiles, entropy, edges at 64 pixels, interquartile fences); a whole dataset of drawings passes
them, which is why they are no warnings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from toolkit.audit.examination import Examination, Row
from toolkit.audit.facts import Picture
from toolkit.audit.findings import Finding, found
from toolkit.audit.options import AuditOptions

# A message names this many pictures; `files` and `lines` of the finding name all.
_NAMED = 5

_Test = Callable[[Picture], bool]


def mild_remarks(examination: Examination, rows: Sequence[Row]) -> Iterator[Finding]:
    """Yields at most one finding for each list and kind.

    Args:
        examination: for the thresholds and the lines.
        rows: the pictures, one row a file and list, without those that have a warning.
    """
    tests = _tests(examination.options, [row.picture for row in rows if row.picture])
    for code, test in tests.items():
        named: dict[str, list[Row]] = {}
        for row in rows:
            if row.picture and test(row.picture):
                named.setdefault(row.split, []).append(row)
        for split, pictures in named.items():
            total = sum(row.split == split for row in rows)
            yield _finding(examination, code, pictures, total)


def _tests(options: AuditOptions, pictures: Sequence[Picture]) -> Mapping[str, _Test]:
    low, high = _fences(options, pictures)
    return {
        "image.dim": lambda picture: picture.brightest < options.dim,
        "image.pale": lambda picture: picture.dark_end > options.pale,
        "image.plain": lambda picture: picture.entropy < options.plain,
        "image.soft": lambda picture: picture.edges < options.soft,
        "image.elongated": lambda picture: _aspect(picture) > options.elongated,
        "image.uncommon_size": lambda picture: not low <= _side(picture) <= high,
    }


def _fences(options: AuditOptions, pictures: Sequence[Picture]) -> tuple[float, float]:
    """Returns between what sides a size is common.

    Source: Tukey, "Exploratory Data Analysis" (1977), outer fences: three interquartile ranges.
    """
    if not pictures:
        return 0.0, float("inf")
    first, third = np.percentile([_side(picture) for picture in pictures], [25, 75])
    reach = options.size_fence * (third - first)
    # Square roots of equal areas differ in the last bit.
    return float(first - reach) - 1e-6, float(third + reach) + 1e-6


def _finding(examination: Examination, code: str, rows: Sequence[Row], total: int) -> Finding:
    split = rows[0].split
    some = ", ".join(row.sample.path for row in rows[:_NAMED])
    more = f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else ""
    return found(
        code,
        f"{len(rows):,} of {total:,} pictures of {split}: {some}{more}.",
        split=split,
        files=[row.sample.path for row in rows],
        lines=[line for row in rows for line in examination.lines_of[split, row.file]],
        value=len(rows),
    )


def _side(picture: Picture) -> float:
    side: float = (picture.width * picture.height) ** 0.5
    return side


def _aspect(picture: Picture) -> float:
    short, long = sorted((picture.width, picture.height))
    return long / short
