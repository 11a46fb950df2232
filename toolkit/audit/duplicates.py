"""Checks for the same picture in several places: same bytes, or same pixels saved again."""

from collections.abc import Iterator, Sequence

from toolkit.audit.examination import Examination, Row
from toolkit.audit.findings import Finding, found
from toolkit.data.manifest import NO_LABEL

# Two lists that must not share a picture, as they are written in a code.
SPLIT_PAIRS = (("train", "gallery"), ("train", "query"), ("query", "gallery"))


def check_duplicates(examination: Examination) -> Iterator[Finding]:
    """Finds pictures under two labels, in two lists, or several times in one list.

    One finding is about one picture, with all its files and rows. A picture that query and gallery
    name by the same paths is searched in its own set, and evaluation leaves it out there.
    """
    for rows in _same_pictures(examination.rows):
        if len(_labels(rows)) > 1:
            yield _conflict(rows)
        for pair in SPLIT_PAIRS:
            yield from _across(rows, *pair)
        for split in dict.fromkeys(row.split for row in rows):
            yield from _within([row for row in rows if row.split == split])


def _same_pictures(rows: Sequence[Row]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.identity, []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def _conflict(rows: Sequence[Row]) -> Finding:
    told = [row for row in rows if row.sample.label != NO_LABEL]
    said = "; ".join(f"{row.line.file}:{row.line.line} says {row.sample.label}" for row in told)
    return found(
        "label.conflict",
        f"{_named(rows)} has {len(_labels(rows))} labels: {said}.",
        split="+".join(dict.fromkeys(row.split for row in rows)),
        files=_paths(rows),
        lines=[row.line for row in rows],
    )


def _across(rows: Sequence[Row], first: str, second: str) -> Iterator[Finding]:
    both = [row for row in rows if row.split in (first, second) and row.picture is not None]
    ours, theirs = ({row.file for row in both if row.split == name} for name in (first, second))
    if not ours or not theirs or (first == "query" and ours == theirs):
        return
    yield found(
        f"duplicate.{first}_{second}",
        f"{_named(both)} is in {first} and in {second}: {_places(both)}{_how(both)}.",
        split=f"{first}+{second}",
        files=_paths(both),
        lines=[row.line for row in both],
        label=_shared_label(both),
        value=len(both),
    )


def _within(rows: Sequence[Row]) -> Iterator[Finding]:
    """Yields a finding for the files of each label; two labels are a conflict, told elsewhere."""
    for label in dict.fromkeys(row.sample.label for row in rows):
        same = [row for row in rows if row.sample.label == label]
        distinct = list({row.file: row for row in reversed(same)}.values())[::-1]
        if len(distinct) > 1:
            yield found(
                "duplicate.within_split",
                f"{len(distinct)} files of {same[0].split} are one picture: "
                f"{_places(distinct)}{_how(distinct)}.",
                split=same[0].split,
                files=_paths(distinct),
                lines=[row.line for row in same],
                label=label,
                value=len(distinct),
            )


def _shared_label(rows: Sequence[Row]) -> str | None:
    labels = _labels(rows)
    return labels.pop() if len(labels) == 1 else None


def _labels(rows: Sequence[Row]) -> set[str]:
    return {row.sample.label for row in rows} - {NO_LABEL}


def _paths(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.sample.path for row in rows))


def _named(rows: Sequence[Row]) -> str:
    paths = _paths(rows)
    return f"The picture {paths[0]}" + (f" (and {len(paths) - 1} other files)" if paths[1:] else "")


def _places(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.sample.path} ({row.line.file}:{row.line.line})" for row in rows)


def _how(rows: Sequence[Row]) -> str:
    """Says whether several files are copies."""
    if len({row.file for row in rows}) == 1:
        return ""
    digests = {row.facts.sha256 for row in rows if row.facts is not None}
    return "; same bytes" if len(digests) == 1 else "; same pixels, saved again"
