import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.metrics.bootstrap import bootstrap_intervals, paired_difference

UNIT = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(UNIT, min_size=1, max_size=30), st.integers(0, 99))
def test_the_interval_holds_the_mean(values, seed):
    column = np.array(values)
    rng = np.random.default_rng(seed)
    low, high = bootstrap_intervals({"m": column}, rng, resamples=100)["m"]
    assert low <= np.mean(column) <= high
    assert column.min() - 1e-12 <= low
    assert high <= column.max() + 1e-12


def test_it_is_as_wide_as_theory_says_and_shrinks_with_the_queries():
    rng = np.random.default_rng(0)
    widths = {}
    for size in (100, 400, 1600):
        column = (np.arange(size) % 4 == 0).astype(float)  # mean 1/4, variance 3/16
        low, high = bootstrap_intervals({"recall1": column}, rng, resamples=2000)["recall1"]
        widths[size] = high - low
        theory = 2 * 1.96 * np.sqrt(3 / 16 / size)
        assert widths[size] == pytest.approx(theory, rel=0.15)
    assert widths[100] > widths[400] > widths[1600]


def test_it_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        column = (rng.random(150) < 0.6).astype(float)
        low, high = bootstrap_intervals({"m": column}, rng, resamples=200)["m"]
        covered += low <= 0.6 <= high
    assert 180 <= covered <= 199


def test_the_draws_come_from_the_generator_and_are_shared_by_the_metrics():
    column = np.random.default_rng(2).random(40)

    def run(seed):
        values = {"a": column, "b": 1 - column}
        return bootstrap_intervals(values, np.random.default_rng(seed), resamples=200)

    assert run(5) == run(5)
    assert run(5) != run(6)
    low, high = run(5)["a"]
    assert run(5)["b"] == pytest.approx((1 - high, 1 - low))


def test_nothing_gives_nothing():
    assert bootstrap_intervals({}, np.random.default_rng(0)) == {}


def test_a_paired_difference_is_that_of_slow_resampling():
    rng = np.random.default_rng(3)
    before = (rng.random(30) < 0.7).astype(float)
    after = (rng.random(30) < 0.6).astype(float)
    found = paired_difference(before, after, np.random.default_rng(9), resamples=400)
    draws, means = np.random.default_rng(9), []
    for _ in range(400):
        rows = [int(row) for row in draws.integers(30, size=30)]
        means.append(sum(after[row] - before[row] for row in rows) / 30)
    means.sort()
    assert found.mean == pytest.approx(after.mean() - before.mean())
    # 2.5% of 400 are 10 on either side; np.quantile reads between the neighbours.
    assert means[9] <= found.low <= means[10]
    assert means[389] <= found.high <= means[390]


def test_pairing_makes_the_interval_narrow():
    # Of 600 queries, 3 are lost and 1 is won: the change is -2/600, and its standard deviation
    # sqrt(4 / 600 - (2 / 600) ** 2) / sqrt(600) = 0.00333; the two recalls' own are 0.019.
    before = np.array([1.0] * 400 + [0.0] * 200)
    after = before.copy()
    after[:3], after[-1] = 0.0, 1.0
    found = paired_difference(before, after, np.random.default_rng(0), resamples=4000)
    assert found.mean == pytest.approx(-2 / 600)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.00333, rel=0.1)
    assert found.low < found.mean < found.high


def test_the_same_values_differ_by_nothing():
    values = np.random.default_rng(0).random(50)
    found = paired_difference(values, values, np.random.default_rng(0))
    assert (found.mean, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize(("before", "after"), [(3, 4), (0, 0)])
def test_a_difference_needs_the_same_queries(before, after):
    with pytest.raises(ValueError, match="same queries"):
        paired_difference(np.zeros(before), np.zeros(after), np.random.default_rng(0))
