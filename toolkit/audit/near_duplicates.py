"""Checks for pictures that look the same without being the same pixels, in two lists or in one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.audit.examination import Examination, Row
from toolkit.audit.findings import Finding, found
from toolkit.audit.look_alikes import Alike, look_alikes
from toolkit.audit.window_codes import SIDE, TURNS

# Below this contrast the signs of frequencies are noise, and all flat pictures would match.
_FLAT = 0.8
# A finding names this many pictures and says how many more there are.
_NAMED = 10

# Each pair as the name of its code, then the list that is searched and the list that is warned of.
_PAIRS = (
    ("train_gallery", "train", "gallery"),
    ("train_query", "train", "query"),
    ("query_gallery", "gallery", "query"),
)


@dataclass(frozen=True, slots=True)
class _Link:
    """From one picture to another that looks the same; `is_part`: this one is the part."""

    alike: Alike
    is_part: bool

    @property
    def words(self) -> str:
        """What was done: " (mirrored, it shows 80% x 80% of this)", or nothing."""
        alike = self.alike
        said = [TURNS[alike.turn]] if alike.turn else []
        if alike.is_cut:
            shown, by, of = f"{alike.width:.0%} x {alike.height:.0%}", "it", "this"
            by, of = (of, by) if self.is_part else (by, of)
            said.append(f"{by} shows {shown} of {of}")
        return f" ({', '.join(said)})" if said else ""


# Pixels of a picture -> pixels of those that look the same, and how.
_Neighbours = Mapping[str, Mapping[str, _Link]]


def check_near_duplicates(examination: Examination) -> Iterator[Finding]:
    """Finds pictures that were saved again, scaled, turned, or cut out of another.

    A pair is proposed by codes and confirmed by its thumbnails, laid on one another. Exact
    duplicates are left to their own check. Two pictures that query and gallery both name belong to
    one set that is searched in itself, and are no finding across these lists.
    """
    by_pixels: dict[str, Row] = {}
    rows: dict[str, dict[str, list[Row]]] = {}  # split -> pixels -> rows
    for row in examination.pictures:
        by_pixels.setdefault(row.identity, row)
        rows.setdefault(row.split, {}).setdefault(row.identity, []).append(row)
    neighbours = _neighbours(examination, list(by_pixels.values()))
    for name, searched, warned in _PAIRS:
        if searched in rows and warned in rows:
            yield from _across(examination, name, (rows[searched], rows[warned]), neighbours)
    for split, pictures in rows.items():
        yield from _within(examination, split, pictures, neighbours)


def _neighbours(examination: Examination, pictures: Sequence[Row]) -> _Neighbours:
    """Searches all lists at once; each pair stands under both of its pictures."""
    known = [(row.identity, row.picture) for row in pictures if row.picture]
    known = [(pixels, picture) for pixels, picture in known if picture.contrast >= _FLAT]
    octets = b"".join(picture.thumbnail for _, picture in known)
    links: dict[str, dict[str, _Link]] = {}
    for alike in look_alikes(
        np.frombuffer(octets, np.uint8).reshape(-1, SIDE, SIDE),
        radius=examination.options.near_duplicate_radius,
        least_agreement=examination.options.near_duplicate_correlation,
    ):
        part, whole = known[alike.part][0], known[alike.whole][0]
        links.setdefault(part, {})[whole] = _Link(alike, is_part=True)
        links.setdefault(whole, {})[part] = _Link(alike, is_part=False)
    return links


def _across(
    examination: Examination,
    name: str,
    lists: tuple[Mapping[str, Sequence[Row]], Mapping[str, Sequence[Row]]],
    neighbours: _Neighbours,
) -> Iterator[Finding]:
    """Yields a finding for each picture of the second list that looks like some of the first."""
    searched, warned = lists
    own = examination.query_and_gallery if name == "query_gallery" else frozenset()
    for pixels, rows in warned.items():
        near = neighbours.get(pixels, {})
        for row in rows:
            close = [
                (other, link)
                for place, link in near.items()
                for other in searched.get(place, ())
                if not (row.file in own and other.file in own)
            ]
            if close:
                yield _finding(examination, name, row, close)


def _finding(
    examination: Examination, name: str, row: Row, close: Sequence[tuple[Row, _Link]]
) -> Finding:
    close = sorted(close, key=lambda pair: -pair[1].alike.agreement)
    named = [row, *(other for other, _ in close[:_NAMED])]
    others = ", ".join(f"{_place(other)}{link.words}" for other, link in close[:_NAMED])
    return found(
        f"near_duplicate.{name}",
        f"{_place(row)} looks the same as {others}{_more(len(close) - _NAMED)}.",
        split="+".join(name.split("_")),
        files=[each.sample.path for each in named],
        lines=[line for each in named for line in examination.lines_of[each.split, each.file]],
        label=row.sample.label,
        value=round(close[0][1].alike.agreement, 3),
        threshold=examination.options.near_duplicate_correlation,
    )


def _within(
    examination: Examination,
    split: str,
    pictures: Mapping[str, Sequence[Row]],
    neighbours: _Neighbours,
) -> Iterator[Finding]:
    """Yields a finding for each group of pictures of one list, each like another of the group."""
    for group in _groups(pictures, lambda pixels: neighbours.get(pixels, ())):
        first = pictures[group[0]][0]
        near = neighbours[group[0]]
        named = [pictures[pixels][0] for pixels in group[:_NAMED]]
        others = ", ".join(
            _place(row) + (near[pixels].words if pixels in near else "")
            for pixels, row in zip(group[1:_NAMED], named[1:], strict=False)
        )
        yield found(
            "near_duplicate.within_split",
            f"{len(group):,} pictures of {split} look the same: {_place(first)}, {others}"
            f"{_more(len(group) - _NAMED)}.",
            split=split,
            files=[row.sample.path for row in named],
            lines=[line for row in named for line in examination.lines_of[split, row.file]],
            label=first.sample.label,
            value=len(group),
        )


def _groups(
    pictures: Mapping[str, object], near: Callable[[str], Iterable[str]]
) -> Iterator[list[str]]:
    """Yields the connected groups of two pictures and more, in the order of the list."""
    left = dict.fromkeys(pictures)
    order = {pixels: number for number, pixels in enumerate(pictures)}
    for start in pictures:
        if start not in left:
            continue
        del left[start]
        group, open_ends = [start], [start]
        while open_ends:
            for pixels in near(open_ends.pop()):
                if pixels in left:
                    del left[pixels]
                    group.append(pixels)
                    open_ends.append(pixels)
        if len(group) > 1:
            yield sorted(group, key=order.__getitem__)


def _place(row: Row) -> str:
    return f"{row.sample.path} ({row.line.file}:{row.line.line})"


def _more(number: int) -> str:
    return f", and {number:,} more" if number > 0 else ""
