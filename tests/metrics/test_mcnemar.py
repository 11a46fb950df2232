"""McNemar's exact test beside binomial counts in whole numbers, and by hand."""

import math
from fractions import Fraction

import pytest

from toolkit.metrics.mcnemar import mcnemar_exact


def counted(one: int, other: int) -> float:
    """Twice the share of all ways to split the disagreements that are at least as uneven."""
    total = one + other
    ways = sum(math.comb(total, count) for count in range(min(one, other) + 1))
    return float(min(Fraction(1), Fraction(2 * ways, 2**total)))


@pytest.mark.parametrize(
    ("one", "other"), [(0, 1), (1, 0), (3, 9), (10, 10), (78, 104), (0, 60), (400, 700)]
)
def test_it_is_the_sign_test_on_the_disagreements(one, other):
    assert mcnemar_exact(one, other) == pytest.approx(counted(one, other), rel=1e-9)


def test_by_hand():
    # Five coins, all heads or all tails: 2 of 32.
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 32)
    # One of four or less even: (1 + 4) * 2 of 16.
    assert mcnemar_exact(1, 3) == pytest.approx(10 / 16)


def test_no_disagreement_is_no_difference():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(7, 7) == 1.0


def test_many_queries():
    assert 0.0 < mcnemar_exact(20_000, 20_600) < 0.01
    assert mcnemar_exact(0, 5000) == pytest.approx(0.0, abs=1e-300)


def test_counts_are_not_negative():
    with pytest.raises(ValueError, match="-1 and 3"):
        mcnemar_exact(-1, 3)
