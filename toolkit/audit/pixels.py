"""Checks of one picture at a time: can it be decoded, is it worth looking at, what is special."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.audit.examination import Examination, Row
from toolkit.audit.facts import Picture
from toolkit.audit.findings import Finding, found
from toolkit.audit.mild_looks import mild_remarks
from toolkit.audit.options import AuditOptions

# With fewer pictures than this nothing can be said to be the usual size.
_FEWEST_FOR_USUAL_SIZE = 10
# An outlier lies beyond so many standard deviations, estimated from the median deviation.
_OUTLYING = 5 * 1.4826


@dataclass(frozen=True, slots=True)
class _Remark:
    """A finding about a picture, before it is known which rows name it."""

    code: str
    message: str
    value: float | None = None
    threshold: float | None = None


def check_pixels(examination: Examination) -> Iterator[Finding]:
    """Finds files that give no picture, pictures that show little, and special kinds of files.

    A picture gets at most one remark on its looks, the one that explains the others: a picture of
    3 x 3 pixels is too small, and that it is also flat and of odd size says nothing more.
    """
    pictures = [row.picture for row in examination.pictures if row.picture]
    usual = _usual_side(pictures, examination.options.odd_size)
    told = set()
    for row in examination.rows:
        key = (row.split, row.file)
        if row.facts is None or key in told:
            continue
        told.add(key)
        for remark in _remarks(row, examination.options, usual):
            yield found(
                remark.code,
                f"{row.sample.path}: {remark.message.rstrip('.')}.",
                split=row.split,
                files=[row.sample.path],
                lines=examination.lines_of[key],
                label=row.sample.label,
                value=remark.value,
                threshold=remark.threshold,
            )
    good = [
        row
        for row in examination.pictures
        if row.picture and not any(_looks(row.picture, examination.options, usual))
    ]
    yield from mild_remarks(examination, good)


def _remarks(row: Row, options: AuditOptions, usual: "_UsualSide | None") -> Iterator[_Remark]:
    if row.facts is not None and row.facts.failure is not None:
        failure = row.facts.failure
        threshold = options.max_pixels if failure.kind == "bomb" else None
        yield _Remark(f"image.{failure.kind}", failure.reason, threshold=threshold)
    elif row.picture is not None:
        looks = next(_looks(row.picture, options, usual), None)
        if looks is not None:
            yield looks
        yield from _kinds(row.picture)


@dataclass(frozen=True, slots=True)
class _UsualSide:
    """The geometric mean side of most pictures, and how far from it a side is odd, as a ratio."""

    side: float
    ratio: float


def _looks(picture: Picture, options: AuditOptions, usual: _UsualSide | None) -> Iterator[_Remark]:
    """Yields what may be wrong, the weightiest first."""
    size = f"{picture.width} x {picture.height} pixels"
    short, long = sorted((picture.width, picture.height))
    if short < options.min_side:
        yield _Remark("image.too_small", size, short, options.min_side)
    if long / short > options.max_aspect:
        aspect = round(long / short, 2)
        yield _Remark("image.extreme_aspect", f"{size}, {aspect:g} : 1", aspect, options.max_aspect)
    yield from _light(picture, options)
    if picture.contrast < options.low_information:
        yield _Remark(
            "image.low_information",
            f"grey varies by {picture.contrast:.2f} of 255 only",
            picture.contrast,
            options.low_information,
        )
    if picture.sharpness < options.blur:
        yield _Remark(
            "image.blurred",
            f"variance of the Laplacian is {picture.sharpness:.1f}",
            picture.sharpness,
            options.blur,
        )
    if usual is not None:
        yield from _odd_size(picture, usual)


def _light(picture: Picture, options: AuditOptions) -> Iterator[_Remark]:
    if picture.brightest < options.dark:
        text = f"99 of 100 pixels are at most {picture.brightest:.3f} bright"
        yield _Remark("image.dark", text, picture.brightest, options.dark)
    if picture.darkest > options.light:
        text = f"99 of 100 pixels are at least {picture.darkest:.3f} bright"
        yield _Remark("image.light", text, picture.darkest, options.light)


def _odd_size(picture: Picture, usual: _UsualSide) -> Iterator[_Remark]:
    side = (picture.width * picture.height) ** 0.5
    ratio = side / usual.side
    if max(ratio, 1 / ratio) > usual.ratio:
        yield _Remark(
            "image.odd_size",
            f"{picture.width} x {picture.height} pixels; the usual side is {usual.side:.0f}",
            round(side, 1),
            round(usual.side * usual.ratio if ratio > 1 else usual.side / usual.ratio, 1),
        )


def _kinds(picture: Picture) -> Iterator[_Remark]:
    if picture.mode == "CMYK":
        yield _Remark("image.cmyk", "stored as CMYK")
    if picture.bits == 16:
        yield _Remark("image.sixteen_bit", "16 bits a channel", picture.bits)
    if picture.alpha:
        yield _Remark("image.alpha", "has an alpha channel")
    if picture.grey:
        yield _Remark("image.grey", f"has no colour (stored as {picture.mode})")
    if picture.frames > 1:
        yield _Remark("image.animated", f"{picture.frames} frames", picture.frames)
    if picture.orientation != 1:
        text = f"EXIF orientation {picture.orientation}"
        yield _Remark("image.rotated", text, picture.orientation)


def _usual_side(pictures: Sequence[Picture], least_ratio: float) -> _UsualSide | None:
    """Finds the usual side: medians of logarithms, so that outliers do not move it."""
    if len(pictures) < _FEWEST_FOR_USUAL_SIZE:
        return None
    sides = np.log([p.width * p.height for p in pictures]) / 2
    middle = float(np.median(sides))
    spread = _OUTLYING * float(np.median(np.abs(sides - middle)))
    return _UsualSide(float(np.exp(middle)), max(least_ratio, float(np.exp(spread))))
