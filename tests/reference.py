"""Slow, obvious retrieval: loops straight from the definitions, to check the fast code against."""

from collections.abc import Collection, Sequence


def ranking(scores: Sequence[float], excluded: Collection[int] = ()) -> list[int]:
    """Gallery rows in order: score descending, then row ascending."""
    rows = [row for row in range(len(scores)) if row not in excluded]
    return sorted(rows, key=lambda row: (-scores[row], row))


def inner_products(queries, gallery) -> list[list[float]]:
    """In Python's floats; exact for small whole numbers."""
    return [
        [sum(float(a) * float(b) for a, b in zip(query, row, strict=True)) for row in gallery]
        for query in queries
    ]


def matches_in_order(order: Sequence[int], labels: Sequence[str], label: str) -> list[bool]:
    return [labels[row] == label for row in order]


def ranks_of_matches(found: Sequence[bool]) -> list[int]:
    return [rank for rank, match in enumerate(found, start=1) if match]


def recall_at(found: Sequence[bool], k: int) -> float:
    return 1.0 if any(found[:k]) else 0.0


def precision_at(found: Sequence[bool], k: int) -> float:
    return sum(found[:k]) / k


def average_precision(found: Sequence[bool]) -> float:
    """Mean, over the matches, of the share of matches down to each of them."""
    precisions = [sum(found[:rank]) / rank for rank in range(1, len(found) + 1) if found[rank - 1]]
    return sum(precisions) / len(precisions)


def average_precision_at_r(found: Sequence[bool]) -> float:
    """Musgrave et al. 2020: 1/R times the sum of P(i) over i = 1..R where item i is a match."""
    r = sum(found)
    return sum(precision_at(found, i) for i in range(1, r + 1) if found[i - 1]) / r


def inverse_negative_penalty(found: Sequence[bool]) -> float:
    """Ye et al. 2021: matches divided by the rank of the last, the hardest, one."""
    return sum(found) / ranks_of_matches(found)[-1]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
