"""Listeners of the processes that keep nothing."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from paddle import nn

from toolkit.training.keeper import KeepPlan
from toolkit.training.learner import EpochRecord, Listener, Position
from toolkit.training.partner import EvaluationPartner, WholeAtSaves


def record(epoch, *, last=False):
    return EpochRecord(epoch, Position(epoch + 1), True, last, 0.0, 8)


@pytest.mark.parametrize(("interval", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5])])
def test_it_evaluates_when_the_keeper_does(interval, expected):
    evaluated, current = [], [0]
    learner = SimpleNamespace(best_weights=nullcontext)
    partner = EvaluationPartner(
        learner, KeepPlan(eval_interval=interval), lambda: evaluated.append(current[0])
    )
    for epoch in range(1, 6):
        current[0] = epoch
        partner.on_epoch_end(record(epoch, last=epoch == 5))
    assert evaluated == expected


def test_without_an_evaluation_it_does_nothing():
    EvaluationPartner(SimpleNamespace(), KeepPlan(), None).on_epoch_end(record(1))


def test_everything_is_passed_on():
    told = []

    class Heard(Listener):
        def on_step(self, record):
            told.append(record)

        def on_epoch_end(self, record):
            told.append(record)

        def on_stop(self, position):
            told.append(position)

    listener = WholeAtSaves(nn.Linear(1, 1), KeepPlan(), Heard())
    listener.on_step("a step")
    listener.on_stop("a stop")
    listener.on_epoch_end("an epoch")
    assert told == ["a step", "a stop", "an epoch"]
