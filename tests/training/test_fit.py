"""The loop: exact resume, accumulation, skipped images, and how it ends."""

import json
import logging

import numpy as np
import paddle
import pytest
from tiny_training import ArrayLoader, assert_identical, make_learner, make_loader, snapshot

from toolkit.errors import DatasetError, DivergedError
from toolkit.losses.combined import CombinedLoss
from toolkit.losses.supervised_contrastive import SupConLoss
from toolkit.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Listener, Position


class Recorder(Listener):
    def __init__(self):
        self.steps, self.epochs = [], []

    def on_step(self, record):
        self.steps.append(record)

    def on_epoch_end(self, record):
        self.epochs.append(record)


class SaveAt(Listener):
    """Writes a checkpoint after some update, as if the process died there."""

    def __init__(self, folder, learner, step):
        self.folder, self.learner, self.step = folder, learner, step

    def on_step(self, record):
        if record.position.step == self.step:
            state = RunState(record.position, record.epoch, seed=3)
            save_checkpoint(self.folder / "at", "at", self.learner, state)


def test_a_run_learns():
    learner, loader = make_learner(), make_loader()
    recorder = Recorder()
    result = fit(learner, loader, TrainingPlan(epochs=5), listeners=[recorder])
    assert result.reached == "epochs"
    assert result.position == Position(6, 0, 30)
    assert result.images == 5 * 24
    assert len(recorder.steps) == 30
    assert recorder.epochs[-1].mean_loss < recorder.epochs[0].mean_loss
    assert [record.last for record in recorder.epochs] == [False] * 4 + [True]
    assert all(record.complete for record in recorder.epochs)
    rates = [record.learning_rate for record in recorder.steps]
    assert rates == [learner.schedule(step) for step in range(30)]
    assert recorder.steps[0].parts.keys() == {"entropy"}


@pytest.mark.parametrize("rule", ["Momentum", "AdamW"])
@pytest.mark.parametrize("stop", [1, 4, 6, 11])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_resumed_is_undisturbed_bit_for_bit(tmp_path, rule, stop, accumulate):
    """With dropout, batch norm, averages and a loss parameter, within and between epochs."""
    plan = TrainingPlan(epochs=4, seed=3, accumulate_steps=accumulate)
    whole = make_learner(rule)
    recorder = Recorder()
    fit(whole, make_loader(), plan, listeners=[SaveAt(tmp_path, whole, stop), recorder])

    resumed = make_learner(rule, seed=99)  # other initial weights: all must come from the file
    paddle.seed(12345)
    state = load_checkpoint(tmp_path / "at", resumed)
    assert state.position.step == stop
    again = Recorder()
    fit(resumed, make_loader(), plan, listeners=[again], start=state.position)
    assert_identical(snapshot(whole), snapshot(resumed))
    assert [r.loss for r in again.steps] == [r.loss for r in recorder.steps[stop:]]


def test_batches_may_be_tensors_already():
    class Tensors(ArrayLoader):
        def epoch(self, epoch, skip_batches):
            for *arrays, failures in super().epoch(epoch, skip_batches):
                yield [*map(paddle.to_tensor, arrays), failures]

    loader = make_loader()
    one, two = make_learner(), make_learner()
    loader.failing = {1, 2, 3, 4, 5}
    tensors = Tensors(loader.images, loader.labels, 4)
    tensors.failing = loader.failing
    fit(one, loader, TrainingPlan(epochs=2))
    fit(two, tensors, TrainingPlan(epochs=2))
    assert_identical(snapshot(one), snapshot(two))


def test_dropout_depends_on_the_seed():
    losses = []
    for seed in (1, 1, 2):
        recorder = Recorder()
        plan = TrainingPlan(epochs=1, seed=seed)
        fit(make_learner(dropout=0.5), make_loader(), plan, listeners=[recorder])
        losses.append([record.loss for record in recorder.steps])
    assert losses[0] == losses[1] != losses[2]


def test_accumulation_is_the_big_batch():
    """Four batches of 3 make the update of one batch of 12, without batch norm and dropout."""
    many = make_learner(norm=False, dropout=0.0, ema=False)
    one = make_learner(norm=False, dropout=0.0, ema=False)
    loaders = [make_loader(3, seed=8), make_loader(12, seed=8)]
    a, b = Recorder(), Recorder()
    fit(many, loaders[0], TrainingPlan(epochs=3, accumulate_steps=4), listeners=[a])
    fit(one, loaders[1], TrainingPlan(epochs=3), listeners=[b])
    assert len(a.steps) == len(b.steps) == 6
    for name, array in snapshot(one).items():
        np.testing.assert_allclose(snapshot(many)[name], array, atol=1e-5, err_msg=name)
    assert [r.loss for r in a.steps] == pytest.approx([r.loss for r in b.steps], abs=1e-5)
    assert [r.images for r in a.steps] == [12] * 6


def test_accumulation_weighs_batches_by_their_images():
    """Batches of 3 and 1 (two images failed) are one batch of 4, not half and half."""
    many = make_learner(norm=False, dropout=0.0, ema=False)
    one = make_learner(norm=False, dropout=0.0, ema=False)
    small, big = make_loader(3, count=6, shuffle=False), make_loader(6, count=6, shuffle=False)
    small.failing = big.failing = {3, 5}
    fit(many, small, TrainingPlan(epochs=3, accumulate_steps=2))
    fit(one, big, TrainingPlan(epochs=3))
    for name, array in snapshot(one).items():
        np.testing.assert_allclose(snapshot(many)[name], array, atol=1e-6, err_msg=name)


def test_the_rest_of_an_epoch_makes_an_update_of_its_own():
    recorder = Recorder()
    plan = TrainingPlan(epochs=2, accumulate_steps=4)
    loader = make_loader()  # 6 batches
    result = fit(make_learner(), loader, plan, listeners=[recorder])
    assert [record.images for record in recorder.steps] == [16, 8, 16, 8]
    assert result.position == Position(3, 0, 4)
    assert plan.total_steps(loader) == 4


@pytest.mark.parametrize(
    ("max_steps", "position", "complete"),
    [
        (4, Position(1, 4, 4), [False]),
        (6, Position(2, 0, 6), [True]),
        (1, Position(1, 1, 1), [False]),
    ],
)
def test_max_steps_ends_a_run_and_tells_the_listeners(max_steps, position, complete):
    recorder = Recorder()
    plan = TrainingPlan(epochs=9, max_steps=max_steps)
    result = fit(make_learner(), make_loader(), plan, listeners=[recorder])
    assert result.reached == "max_steps"
    assert result.position == position
    assert [record.complete for record in recorder.epochs] == complete
    assert recorder.epochs[-1].last


def test_a_checkpoint_of_the_last_update_of_an_epoch_closes_the_epoch():
    recorder = Recorder()
    plan = TrainingPlan(epochs=1)
    fit(make_learner(), make_loader(), plan, listeners=[recorder], start=Position(1, 6, 6))
    assert recorder.steps == []
    assert recorder.epochs[0].complete
    assert recorder.epochs[0].last


def test_a_finished_run_does_nothing_more():
    learner = make_learner()
    before = snapshot(learner)
    result = fit(learner, make_loader(), TrainingPlan(epochs=2), start=Position(3, 0, 12))
    assert (result.reached, result.images) == ("epochs", 0)
    assert_identical(before, snapshot(learner))


def test_bad_images_are_named_counted_and_skipped(caplog):
    loader = make_loader(shuffle=False)
    loader.failing = {1, 4, 5, 6, 7}  # one of the first batch, all of the second
    recorder = Recorder()
    with caplog.at_level(logging.WARNING):
        result = fit(make_learner(), loader, TrainingPlan(epochs=2), listeners=[recorder])
    assert [record.images for record in recorder.steps[:3]] == [3, 0, 4]
    assert recorder.steps[1].loss is None
    assert recorder.steps[1].position.step == 2  # the rate and the place go on
    assert result.failure_count == 10
    assert result.failures == [f"{number}.jpg: truncated" for number in (1, 4, 5, 6, 7)]
    assert len([r for r in caplog.records if "Image skipped" in r.message]) == 5  # once each


def test_an_update_without_images_changes_nothing():
    learner = make_learner()
    loader = make_loader(shuffle=False)
    loader.failing = set(range(4))
    before = snapshot(learner)
    fit(learner, loader, TrainingPlan(epochs=1, max_steps=1))
    assert_identical(before, snapshot(learner))


def test_an_epoch_without_images_is_an_error():
    loader = make_loader()
    loader.failing = set(range(24))
    with pytest.raises(DatasetError, match=r"Not one image of epoch 1.*24 failures.*\.jpg"):
        fit(make_learner(), loader, TrainingPlan(epochs=1))


@pytest.mark.parametrize(("labels", "told"), [([0, 1, 2], True), ([0, 1, 1], False)])
def test_an_epoch_with_nothing_to_learn_from_is_told(caplog, labels, told):
    """A loss on pairs, and batches in which no two pictures are of one class."""
    learner = make_learner(make_loss=lambda: CombinedLoss([("SupConLoss", 1.0, SupConLoss())]))
    images = np.random.default_rng(0).normal(size=(6, 3, 2, 2)).astype("float32")
    loader = ArrayLoader(images, np.array(labels * 2), 3, shuffle=False)
    fit(learner, loader, TrainingPlan(epochs=1))
    assert ("The loss was 0 in every step of epoch 1" in caplog.text) == told


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops(poison):
    learner, loader = make_learner(), make_loader(shuffle=False)
    fit(learner, loader, TrainingPlan(epochs=1, max_steps=2))
    before = {n: a for n, a in snapshot(learner).items() if "_mean" not in n and "_var" not in n}
    loader.images[8:12] = poison
    with pytest.raises(DivergedError) as caught:
        fit(learner, loader, TrainingPlan(epochs=1), start=Position(1, 2, 2))
    message = str(caught.value)
    for part in (
        "epoch 1, step 3",
        "rate 0.0666667",
        "entropy nan",
        "learning_rate",
        "warmup_steps",
    ):
        assert part in message
    assert caught.value.exit_code == 1
    after = snapshot(learner)
    assert_identical(before, {name: after[name] for name in before})
    assert learner.model.backbone.weight.grad is None or not np.any(
        learner.model.backbone.weight.grad.numpy()
    )


def test_a_start_beyond_the_data_is_an_error():
    with pytest.raises(DatasetError, match=r"after batch 7 of epoch 2.*has 6 batches"):
        fit(make_learner(), make_loader(), TrainingPlan(epochs=3), start=Position(2, 7, 13))
    with pytest.raises(DatasetError, match="no batch at all"):
        fit(make_learner(), make_loader(batch_size=50), TrainingPlan(epochs=3))


def test_a_loader_that_ends_early_does_not_hang():
    class Short(ArrayLoader):
        def epoch(self, epoch, skip_batches):
            yield from list(super().epoch(epoch, skip_batches))[:2]

    loader = Short(make_loader().images, make_loader().labels, 4)
    result = fit(make_learner(), loader, TrainingPlan(epochs=3))
    assert result.position == Position(4, 0, 6)


def test_log_lines(caplog):
    with caplog.at_level(logging.INFO):
        fit(make_learner(), make_loader(), TrainingPlan(epochs=2, log_interval=5))
    lines = [record.message for record in caplog.records]
    assert [line.split(" lr")[0] for line in lines] == [
        "epoch 1/2 step 1/12",
        "epoch 1/2 step 5/12",
        "epoch 2/2 step 10/12",
    ]
    assert "images/s" in lines[0]
    assert "ETA 00:00:" in lines[0]


def test_the_model_trains_again_after_an_evaluation():
    learner, modes = make_learner(), []
    listener = Listener()
    listener.on_step = lambda _: modes.append(learner.model.training)
    listener.on_epoch_end = lambda _: learner.model.eval()
    fit(learner, make_loader(), TrainingPlan(epochs=2), listeners=[listener])
    assert modes == [True] * 12


def test_plan_values_are_plain_json():
    assert json.dumps(TrainingPlan(epochs=2).__dict__)


def test_going_on_with_other_data_or_batches_is_said(caplog):
    """6 batches an epoch: the second epoch begins after 6 updates, or after 3 of two batches."""
    for start, accumulate in ((Position(2, 2, 8), 1), (Position(2, 2, 4), 2)):
        plan = TrainingPlan(epochs=2, accumulate_steps=accumulate)
        fit(make_learner(), make_loader(), plan, start=start)
    assert "would have made" not in caplog.text
    fit(make_learner(), make_loader(), TrainingPlan(epochs=2), start=Position(2, 2, 14))
    assert "has made 14 steps where this configuration would have made 8" in caplog.text


def test_a_run_with_nothing_left_says_so(caplog):
    fit(make_learner(), make_loader(), TrainingPlan(epochs=2), start=Position(4, 0, 18))
    assert "Nothing is left to train: the checkpoint stands behind epoch 3 of 2" in caplog.text
