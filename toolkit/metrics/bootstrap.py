"""How far a mean could be off because these queries were drawn and not others.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (the percentile
interval).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def bootstrap_intervals(
    values: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Computes a percentile interval for the mean of each metric, resampling the queries.

    All metrics see the same resamples: what is drawn is a set of queries.

    Args:
        values: for each metric, float64 [q], one value a query; q is the same for all and above 0.
        rng: where the draws come from.
        resamples: how many sets of q queries to draw.
        level: share of the resampled means inside the interval, in (0, 1).

    Returns:
        For each metric (low, high), which holds the mean of its values.
    """
    if not values:
        return {}
    matrix = np.stack([np.asarray(column, np.float64) for column in values.values()], axis=1)
    size = len(matrix)
    means = np.empty((resamples, matrix.shape[1]))
    for number in range(resamples):
        times_drawn = np.bincount(rng.integers(size, size=size), minlength=size)
        means[number] = times_drawn.astype(np.float64) @ matrix / size
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    # Of equal values the resampled means differ from the mean in the last bit.
    center = np.array([np.mean(column) for column in values.values()])
    low, high = np.minimum(low, center), np.maximum(high, center)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(values)}


@dataclass(frozen=True)
class PairedDifference:
    """How much better one method is than another on the same queries.

    Attributes:
        mean: of the second method's values minus the first's.
        low: lower end of its interval.
        high: upper end.
    """

    mean: float
    low: float
    high: float


def paired_difference(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> PairedDifference:
    """Computes the mean change from one method to another, with its percentile interval.

    Both methods are resampled with the same queries. Most queries are as easy or as hard for the
    one as for the other, so this interval is far narrower than the two means' own.

    Args:
        before: float64 [q], one value a query, of the first method; q is above 0.
        after: float64 [q], of the second, the same queries in the same order.
        rng: where the draws come from.
        resamples: how many sets of q queries to draw.
        level: share of the resampled means inside the interval, in (0, 1).

    Raises:
        ValueError: there are no queries, or not as many in the one as in the other.
    """
    if before.shape != after.shape or before.ndim != 1 or not len(before):
        raise ValueError(
            f"values of shape {before.shape} before and {after.shape} after; expected one value a "
            "query, of the same queries, at least one."
        )
    change = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    low, high = bootstrap_intervals({"change": change}, rng, resamples=resamples, level=level)[
        "change"
    ]
    return PairedDifference(float(np.mean(change)), low, high)
