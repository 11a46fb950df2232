"""A run that no longer gets better ends, at the same evaluation whether it was killed or not."""

import math

import pytest
from test_keeper import Scores
from tiny_training import make_learner, make_loader

from toolkit.errors import ConfigError
from toolkit.training.checkpoint import load_checkpoint
from toolkit.training.early_stopping import EarlyStopping
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.keeper import CheckpointKeeper, KeepPlan


@pytest.mark.parametrize(
    ("values", "min_delta", "evaluations"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], 0.0, 5),
        ([0.3, 0.2, 0.3, 0.4], 0.0, 3),  # an equal one is not better
        ([0.3, 0.2, 0.4, 0.4, 0.1], 0.0, 5),
        ([0.3, 0.35, 0.39, 0.5], 0.1, 3),
        ([math.nan, math.nan, 0.4], 0.0, 2),
        ([math.inf, 0.1, 0.4], 0.0, 3),  # infinity is no number to compare with
    ],
)
def test_patience_of_two(values, min_delta, evaluations):
    watch = EarlyStopping(metric="mAP", patience=2, min_delta=min_delta)
    seen = 0
    for value in values:
        watch.see({"mAP": value, "recall1": 0.0})
        seen += 1
        if watch.is_over:
            break
    assert seen == evaluations


def test_an_unknown_metric_is_named():
    with pytest.raises(ConfigError, match=r"'recall_1'\. Did you mean 'recall1'.*recall1, mAP"):
        EarlyStopping(metric="recall_1").see({"recall1": 0.1, "mAP": 0.2})


def run(output, scores, *, epochs=9, state=None, learner=None):
    learner = learner or make_learner()
    watch = EarlyStopping(patience=3)
    keeper = CheckpointKeeper(
        output, learner, KeepPlan(), seed=3, evaluate=Scores(learner, scores), early_stopping=watch
    )
    if state is not None:
        keeper.resume(state)
    stop = lambda: "early_stopping" if keeper.is_done else ""  # noqa: E731
    start = None if state is None else state.position
    plan = TrainingPlan(epochs=epochs, seed=3)
    return fit(learner, make_loader(), plan, listeners=[keeper], stop=stop, start=start)


def test_a_run_ends_and_goes_on_with_the_patience_that_is_left(tmp_path):
    scores = [0.1, 0.5, 0.2, 0.3, 0.4, 0.6]
    whole = run(tmp_path / "whole", list(scores))
    assert (whole.reached, whole.position.epoch) == ("early_stopping", 6)
    run(tmp_path / "parts", list(scores), epochs=3)
    learner = make_learner(seed=8)
    state = load_checkpoint(tmp_path / "parts/latest", learner)
    again = run(tmp_path / "parts", scores[3:], state=state, learner=learner)
    assert (again.reached, again.position) == ("early_stopping", whole.position)
    # Begun once more, it is over at once.
    learner = make_learner(seed=8)
    state = load_checkpoint(tmp_path / "parts/latest", learner)
    assert run(tmp_path / "parts", [], state=state, learner=learner).images == 0
