"""Curves and whiskers as plain numbers."""

import re

import pytest

from toolkit.reports.run_curves import HEIGHT, WIDTH, run_chart, whisker_chart


def corners(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"([\d.-]+),([\d.-]+)", path)]


def test_runs_share_one_axis():
    chart = run_chart("Loss", "step", [[(0, 2.0), (10, 1.0)], [], [(5, 1.5)]])
    first, third = chart.curves
    assert (first.run, third.run) == (1, 3)
    (left, top), (right, bottom) = corners(first.path)
    assert (left, right) == (0, WIDTH)
    assert 0 < top < bottom < HEIGHT  # a margin above and below
    assert corners(third.path) == [(WIDTH / 2, pytest.approx(HEIGHT / 2))]
    assert [point.title for point in third.points] == ["step 5: 1.5"]
    assert [tick.text for tick in chart.across] == ["0", "2", "4", "6", "8", "10"]


def test_nothing_to_draw():
    assert run_chart("Loss", "step", [[], []]) is None


def test_one_value_has_a_place():
    chart = run_chart("Loss", "epoch", [[(3, 0.0)]])
    assert corners(chart.curves[0].path) == [(WIDTH / 2, HEIGHT / 2)]


def test_a_long_run_is_a_few_hundred_points_with_its_ends():
    values = [(step, float(step % 7)) for step in range(1, 10_001)]
    (curve,) = run_chart("Loss", "step", [values], smooth=True).curves
    drawn = corners(curve.path)
    assert 200 < len(drawn) <= 302
    assert (drawn[0][0], drawn[-1][0]) == (0.0, WIDTH)
    assert curve.points == []


def test_whiskers():
    chart = whisker_chart([(1, 0.5, 0.4, 0.6), (2, 0.7, 0.6, 0.8)])
    first, second = chart.whiskers
    assert first.low < first.at < first.high == second.low < second.at < second.high
    assert first.at - first.low == pytest.approx(second.high - second.at)
    assert first.title == "50.00 (40.00 to 60.00)"
    assert chart.zero is None


@pytest.mark.parametrize("numbers", [(0.02, 0.01, 0.03), (-0.02, -0.03, -0.01), (0.0, 0.0, 0.0)])
def test_an_axis_of_differences_holds_zero(numbers):
    chart = whisker_chart([(2, *numbers)], difference=True)
    (whisker,) = chart.whiskers
    assert 0 < chart.zero < WIDTH
    assert (whisker.at > chart.zero) == (numbers[0] > 0)
    assert "0" in [tick.text for tick in chart.across]
