"""From hits to an answer: which label they speak for."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.index.interface import Hit


@dataclass(frozen=True)
class Answer:
    """What a query shows.

    Attributes:
        label: of the thing; None: nothing that the index knows.
        share: of the votes, from 0 to 1.
        score: of the nearest hit with that label.
    """

    label: str | None
    share: float
    score: float | None


def vote(hits: Sequence[Hit], *, field: str = "label", threshold: float | None = None) -> Answer:
    """Lets every hit vote for its label; near ones count more.

    A hit votes with how far its score lies above the threshold, or above that of the last hit; so
    one that is hardly near enough hardly counts.

    Args:
        hits: of one query, nearest first.
        field: of the record that holds the label.
        threshold: score that the nearest hit must reach; hits below it have no vote.

    Returns:
        The label with most votes; equal ones go by the nearest hit. None where no hit may vote.
    """
    voters = [
        hit
        for hit in hits
        if hit.record.get(field) is not None and (threshold is None or hit.score >= threshold)
    ]
    if not voters:
        return Answer(None, 0.0, None)
    floor = min(hit.score for hit in voters) if threshold is None else threshold
    votes: dict[str, float] = {}
    for hit in voters:
        # A little for being there: all hits may have the same score.
        weight = hit.score - floor + 1e-6
        label = str(hit.record[field])
        votes[label] = votes.get(label, 0.0) + weight
    best = max(votes, key=lambda label: votes[label])
    nearest = next(hit.score for hit in voters if str(hit.record[field]) == best)
    return Answer(best, votes[best] / sum(votes.values()), nearest)
