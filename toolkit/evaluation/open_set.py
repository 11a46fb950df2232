"""From which score on a nearest picture is a match: calibrated on lists of one's own.

A thing that is not in the gallery still has a nearest picture. What its score would be is known for
every query: it is the best score among the pictures of other classes, as if its own were not there.
A threshold that only so many of these scores reach admits so many false matches.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.evaluation.retrieval import Embeddings
from toolkit.index.exact import top_k
from toolkit.index.fixed_point import unit_rows
from toolkit.index.row_sets import RowSets

RATES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Threshold:
    """What one threshold does.

    Attributes:
        wanted: false matches asked for, as a share of queries whose thing is not in the gallery.
        threshold: the lowest cosine that counts as a match.
        false_matches: the share that there is: at most `wanted`.
        found: share of queries whose thing is there, that are answered, and rightly.
        wrong: share of the same that are answered with another thing.
        refused: share of the same that are told "no match".
    """

    wanted: float
    threshold: float
    false_matches: float
    found: float
    wrong: float
    refused: float


def thresholds(
    query: Embeddings, gallery: Embeddings, rates: Sequence[float] = RATES
) -> list[Threshold]:
    """Finds the threshold for each wanted rate of false matches.

    Args:
        query: the pictures to look up; those without a match in the gallery count as unknown only.
        gallery: the pictures to find.
        rates: shares, above 0 and below 1; fewer than 1 / queries cannot be told apart from none.

    Returns:
        One for each rate, in order; none where every gallery picture has the query's class.
    """
    same = [RowSets.from_equal(query.ids, gallery.ids)]
    own = RowSets.from_equal(query.labels, gallery.labels)
    queries, pictures = unit_rows(query.vectors), unit_rows(gallery.vectors)
    strange, _ = top_k(queries, pictures, 1, exclude=[*same, own])
    scores, rows = top_k(queries, pictures, 1, exclude=same)
    unknown = np.sort(strange[np.isfinite(strange)])
    if not len(unknown):
        return []
    known = np.flatnonzero(own.counts > 0)
    labels = np.array([*gallery.labels, ""], dtype=object)
    right = labels[rows[known, 0]] == np.array(query.labels, dtype=object)[known]
    return [threshold_at(rate, unknown, scores[known, 0], right) for rate in rates]


def threshold_at(
    rate: float,
    unknown: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
) -> Threshold:
    """Puts the threshold between the highest score that must not pass and the next above it.

    Args:
        rate: share of the unknown that may pass, from 0 to 1.
        unknown: float [u], ascending, one or more: the best score of things that are not there.
        scores: float [q], the best score of things that are there.
        right: bool [q], whether it is that of the thing itself.
    """
    allowed = min(int(rate * len(unknown)), len(unknown) - 1)
    highest = float(unknown[len(unknown) - allowed - 1])
    above = unknown[unknown > highest]
    threshold = (highest + float(above[0])) / 2 if len(above) else highest + 1e-6
    passed = scores >= threshold
    share = float((unknown >= threshold).mean())
    total = max(len(scores), 1)
    return Threshold(
        rate,
        threshold,
        share,
        float((passed & right).sum() / total),
        float((passed & ~right).sum() / total),
        float((~passed).sum() / total),
    )


def table_lines(found: Sequence[Threshold]) -> list[str]:
    """Returns the table for a terminal."""
    lines = ["Thresholds for 'no match' (Search.threshold), by the false matches that they admit:"]
    lines.append("  wanted  threshold  false matches   found   wrong  refused")
    lines += [
        f"  {one.wanted:6.1%}  {one.threshold:9.4f}  {one.false_matches:13.2%}  {one.found:6.1%}  "
        f"{one.wrong:6.1%}  {one.refused:7.1%}"
        for one in found
    ]
    return lines


def table_csv(found: Sequence[Threshold]) -> str:
    """Returns the table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["wanted", "threshold", "false_matches", "found", "wrong", "refused"])
    for one in found:
        numbers = (one.false_matches, one.found, one.wrong, one.refused)
        writer.writerow([one.wanted, f"{one.threshold:.6f}", *(f"{n:.6f}" for n in numbers)])
    return text.getvalue()
