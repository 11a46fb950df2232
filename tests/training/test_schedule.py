"""Schedules against closed forms and against Paddle's schedulers."""

import math

import paddle
import pytest

from toolkit.training.schedule import Constant, Cosine, Piecewise, Polynomial, Step

RUN = {"base_lr": 0.4, "total_steps": 100, "warmup_steps": 20, "steps_per_epoch": 10}


def rates(schedule, count=100):
    return [schedule(step) for step in range(count)]


def paddle_rates(scheduler, count=100):
    found = []
    for _ in range(count):
        found.append(scheduler())
        scheduler.step()
    return found


def test_warm_up_is_a_line_from_zero_to_the_base_rate():
    for part in (
        Constant(**RUN),
        Cosine(**RUN),
        Step(**RUN, step_size=3),
        Piecewise(**RUN, milestones=[3], factors=[0.5]),
        Polynomial(**RUN),
    ):
        assert rates(part, 20) == pytest.approx([0.4 * step / 20 for step in range(20)])
        assert part(20) == pytest.approx(0.4)


def test_warm_up_from_a_rate():
    schedule = Constant(**RUN, warmup_start_lr=0.2)
    assert [schedule(0), schedule(10), schedule(20)] == pytest.approx([0.2, 0.3, 0.4])


def test_constant_without_warm_up():
    assert set(rates(Constant(**{**RUN, "warmup_steps": 0}))) == {0.4}


def test_cosine_closed_form():
    schedule = Cosine(**RUN, end_lr=0.1)
    assert schedule(60) == pytest.approx(0.25)  # half way: the mean of base and end
    assert schedule(40) == pytest.approx(0.1 + 0.3 * (1 + math.cos(math.pi / 4)) / 2)
    assert schedule(100) == pytest.approx(0.1)
    assert schedule(500) == pytest.approx(0.1)  # it does not rise again


@pytest.mark.parametrize("warmup", [0, 20])
def test_cosine_is_that_of_paddle(warmup):
    oracle = paddle.optimizer.lr.CosineAnnealingDecay(0.4, 100 - warmup, eta_min=0.01)
    if warmup:
        oracle = paddle.optimizer.lr.LinearWarmup(oracle, warmup, 0.0, 0.4)
    ours = Cosine(**{**RUN, "warmup_steps": warmup}, end_lr=0.01)
    assert rates(ours) == pytest.approx(paddle_rates(oracle), abs=1e-9)


def test_steps_are_those_of_paddle():
    run = {**RUN, "warmup_steps": 0}
    oracle = paddle.optimizer.lr.StepDecay(0.4, step_size=30, gamma=0.5)
    assert rates(Step(**run, step_size=3, gamma=0.5)) == pytest.approx(paddle_rates(oracle))
    oracle = paddle.optimizer.lr.MultiStepDecay(0.4, milestones=[20, 70], gamma=0.1)
    assert rates(Step(**run, milestones=[2, 7])) == pytest.approx(paddle_rates(oracle))


def test_milestones_count_from_the_start_of_the_run():
    schedule = Step(**RUN, milestones=[5])
    assert schedule(49) == pytest.approx(0.4)
    assert schedule(50) == pytest.approx(0.04)


def test_piecewise_is_that_of_paddle():
    run = {**RUN, "warmup_steps": 0}
    oracle = paddle.optimizer.lr.PiecewiseDecay([20, 50, 60], [0.4, 0.1, 0.2, 0.0])
    ours = Piecewise(**run, milestones=[2, 5, 6], factors=[0.25, 0.5, 0.0])
    assert rates(ours) == pytest.approx(paddle_rates(oracle))


@pytest.mark.parametrize(("warmup", "power"), [(0, 1.0), (20, 1.0), (20, 2.0)])
def test_polynomial_is_that_of_paddle(warmup, power):
    oracle = paddle.optimizer.lr.PolynomialDecay(0.4, 100 - warmup, end_lr=0.05, power=power)
    if warmup:
        oracle = paddle.optimizer.lr.LinearWarmup(oracle, warmup, 0.0, 0.4)
    ours = Polynomial(**{**RUN, "warmup_steps": warmup}, end_lr=0.05, power=power)
    assert rates(ours) == pytest.approx(paddle_rates(oracle), abs=1e-9)


@pytest.mark.parametrize(
    ("ours", "oracle"),
    [
        (Cosine(**RUN, by_epoch=True), paddle.optimizer.lr.CosineAnnealingDecay(0.4, 8)),
        (Polynomial(**RUN, by_epoch=True), paddle.optimizer.lr.PolynomialDecay(0.4, 8, end_lr=0)),
        # Paddle counts milestones from the end of the warm-up, which lasts two epochs here.
        (
            Step(**RUN, milestones=[5, 8], by_epoch=True),
            paddle.optimizer.lr.MultiStepDecay(0.4, [3, 6]),
        ),
        (
            Piecewise(**RUN, milestones=[5, 8], factors=[0.5, 0.2], by_epoch=True),
            paddle.optimizer.lr.PiecewiseDecay([3, 6], [0.4, 0.2, 0.08]),
        ),
        (Constant(**RUN, by_epoch=True), 0.4),
    ],
    ids=lambda part: type(part).__name__,
)
def test_by_epoch_is_paddle_stepped_once_an_epoch(ours, oracle):
    warmed = paddle.optimizer.lr.LinearWarmup(oracle, 2, 0.0, 0.4)
    expected = [rate for rate in paddle_rates(warmed, 10) for _ in range(10)]
    assert rates(ours) == pytest.approx(expected, abs=1e-9)


def test_a_warm_up_as_long_as_the_run():
    schedule = Cosine(**{**RUN, "warmup_steps": 100})
    assert schedule(99) == pytest.approx(0.4 * 0.99)
    assert schedule(100) == 0.0


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        (Cosine, {"warmup_steps": 101}, "does not fit"),
        (Constant, {"warmup_steps": -1}, "does not fit"),
        (Constant, {"base_lr": 0.0}, "above 0"),
        (Step, {}, "either milestones"),
        (Step, {"milestones": [1], "step_size": 1}, "either milestones"),
        (Step, {"milestones": [3, 2]}, "ascending"),
        (Step, {"milestones": [2, 2]}, "ascending"),
        (Piecewise, {"milestones": [2, 2], "factors": [1.0, 1.0]}, "ascending"),
        (Piecewise, {"milestones": [1, 2], "factors": [1.0]}, "one factor a milestone"),
    ],
)
def test_bad_values(part, options, message):
    with pytest.raises(ValueError, match=message):
        part(**{**RUN, **options})
