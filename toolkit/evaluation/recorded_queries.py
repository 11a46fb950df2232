"""queries.csv of an evaluation, read back, and the queries that two evaluations share."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from toolkit.errors import RunError

QueryKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """What one evaluation found for one query.

    Attributes:
        key: what it is the same query by in another evaluation: its path below the dataset's
            folder, its label, and how often the list had both before.
        path: the picture.
        label: its class.
        relevant: gallery pictures of its class.
        first_rank: rank of the nearest of those; 0 when there is none.
        average_precision: over the whole ranking; 0 when there is none.
        nearest: the picture that was found first; None for an empty gallery.
        nearest_label: its class.
    """

    key: QueryKey
    path: Path
    label: str
    relevant: int
    first_rank: int
    average_precision: float
    nearest: Path | None
    nearest_label: str

    @property
    def right(self) -> bool:
        """Whether the nearest picture is of the query's class."""
        return self.first_rank == 1


@dataclass(frozen=True)
class CommonQueries:
    """The queries that two evaluations share and that have a match in both.

    Attributes:
        pairs: the same query in the first and in the second.
        only_first: queries of the first alone.
        only_second: of the second alone.
        unmatched: common ones that have no match in one or both.
        other_relevant: pairs whose numbers of matches differ: the galleries are not the same.
    """

    pairs: list[tuple[RecordedQuery, RecordedQuery]]
    only_first: int
    only_second: int
    unmatched: int
    other_relevant: int


def read_queries(file: Path, settings: Mapping[str, Any]) -> list[RecordedQuery]:
    """Reads queries.csv.

    Args:
        file: the table.
        settings: of the run, for the folders that its paths start from.

    Raises:
        RunError: it is not a table that evaluate wrote.
    """
    roots = _roots(settings)
    seen = Counter[tuple[str, str]]()
    queries = []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                place = (_below(row["query"], roots), row["label"])
                seen[place] += 1
                queries.append(_query((*place, seen[place]), row))
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(
            f"{file} is not a table that evaluate wrote ({type(error).__name__}: {error}). "
            "Evaluate again."
        ) from error
    return queries


def common_queries(
    first: Sequence[RecordedQuery], second: Sequence[RecordedQuery]
) -> CommonQueries:
    """Pairs the queries of two evaluations, in the order of the first."""
    others = {query.key: query for query in second}
    both = [(query, others[query.key]) for query in first if query.key in others]
    pairs = [(one, other) for one, other in both if one.first_rank and other.first_rank]
    return CommonQueries(
        pairs,
        only_first=len(first) - len(both),
        only_second=len(second) - len(both),
        unmatched=len(both) - len(pairs),
        other_relevant=sum(one.relevant != other.relevant for one, other in pairs),
    )


def _query(key: QueryKey, row: Mapping[str, str]) -> RecordedQuery:
    return RecordedQuery(
        key=key,
        path=Path(row["query"]),
        label=row["label"],
        relevant=int(row["relevant"]),
        first_rank=int(row["first_match_rank"] or 0),
        average_precision=float(row["average_precision"] or 0),
        nearest=Path(row["nearest"]) if row["nearest"] else None,
        nearest_label=row["nearest_label"],
    )


def _roots(settings: Mapping[str, Any]) -> list[str]:
    """Folders that paths of the query list may start from, the most particular first."""
    given = [settings.get("Data.lists.query.image_root"), settings.get("Global.dataset_dir")]
    file = settings.get("Data.lists.query.file")
    if file:
        given.append(str(PurePath(file).parent))
    return [str(root) for root in given if root]


def _below(path: str, roots: Sequence[str]) -> str:
    """The part of a path that is the same wherever the dataset lies."""
    pure = PurePath(path)
    for root in roots:
        if pure.is_relative_to(root):
            return pure.relative_to(root).as_posix()
    return pure.as_posix()
