"""Whether two methods are right about the same queries equally often.

Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", 1947; the exact form is a sign test on the queries that only one of them gets right.
"""

import math


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Returns the probability of a split at least as uneven, were both equally good.

    Args:
        only_first: queries that only the first method gets right.
        only_second: queries that only the second gets right.

    Returns:
        The two-sided p, in (0, 1]; 1 when they never disagree.

    Raises:
        ValueError: a count is negative.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"counts of queries: {only_first} and {only_second}; expected 0 or more.")
    total = only_first + only_second
    # Logarithms: 2**total is no float for thousands of queries.
    terms = (
        math.lgamma(total + 1)
        - math.lgamma(count + 1)
        - math.lgamma(total - count + 1)
        - total * math.log(2)
        for count in range(min(only_first, only_second) + 1)
    )
    return min(1.0, 2 * math.fsum(math.exp(term) for term in terms))
