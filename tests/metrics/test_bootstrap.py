import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.metrics.bootstrap import bootstrap_intervals

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
