"""What a loss learns and remembers: trained with the network, saved, and resumed bit for bit."""

import pytest
from tiny_training import assert_identical, make_learner, make_loader, snapshot

from toolkit.errors import WeightsError
from toolkit.losses.class_vectors import CenterLoss, ProxyAnchorLoss
from toolkit.losses.combined import CombinedLoss
from toolkit.losses.cross_entropy import CELoss
from toolkit.losses.xbm import ContrastiveLoss_XBM, TripletAngularMarginLoss_XBM
from toolkit.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Listener, Position


def every_kind(xbm_size=10):
    """Centres and proxies with rates of their own, and two memories that turn at other steps."""
    memory = {"xbm_size": xbm_size, "start_iter": 2}
    return CombinedLoss(
        [
            ("CELoss", 1.0, CELoss()),
            ("CenterLoss", 0.1, CenterLoss(3, 8, lr_factor=5.0)),
            ("ProxyAnchorLoss", 0.1, ProxyAnchorLoss(3, 8, lr_factor=2.0)),
            ("ContrastiveLoss_XBM", 0.1, ContrastiveLoss_XBM(8, margin=0.1, **memory)),
            (
                "TripletAngularMarginLoss_XBM",
                0.1,
                TripletAngularMarginLoss_XBM(8, **memory | {"start_iter": 4}),
            ),
        ]
    )


class Recorder(Listener):
    """Keeps every loss, and writes a checkpoint after one update as if the process died there."""

    def __init__(self, folder=None, learner=None, stop=None):
        self.folder, self.learner, self.stop, self.losses = folder, learner, stop, []

    def on_step(self, record):
        self.losses.append((record.loss, record.parts))
        if record.position.step == self.stop:
            state = RunState(record.position, record.epoch, seed=3)
            save_checkpoint(self.folder / "at", "at", self.learner, state)


@pytest.mark.parametrize("rule", ["Momentum", "AdamW"])
@pytest.mark.parametrize("stop", [1, 3, 5, 9])  # memories not begun, filling, turned
def test_resumed_is_undisturbed_bit_for_bit(tmp_path, rule, stop):
    plan = TrainingPlan(epochs=3, seed=3)
    whole = make_learner(rule, make_loss=every_kind)
    before = snapshot(whole)
    recorder = Recorder(tmp_path, whole, stop)
    fit(whole, make_loader(), plan, listeners=[recorder])
    learnt = ["parts.CenterLoss.centers", "parts.ProxyAnchorLoss.proxies"]
    kept = ["vectors", "labels", "written", "iteration"]
    names = [f"loss.{name}" for name in learnt]
    names += [f"loss.parts.ContrastiveLoss_XBM.memory.{name}" for name in kept]
    for name in names:
        assert (before[name] != snapshot(whole)[name]).any(), name

    resumed = make_learner(rule, seed=99, make_loss=every_kind)
    state = load_checkpoint(tmp_path / "at", resumed)
    again = Recorder()
    fit(resumed, make_loader(), plan, listeners=[again], start=state.position)
    assert_identical(snapshot(whole), snapshot(resumed))
    assert again.losses == recorder.losses[stop:]


def test_the_memory_of_another_run_does_not_fit(tmp_path):
    save_checkpoint(
        tmp_path / "at", "at", make_learner(make_loss=every_kind), RunState(Position(), 1, 0)
    )
    other = make_learner(make_loss=lambda: every_kind(xbm_size=11))
    with pytest.raises(WeightsError, match=r"of the loss.*ContrastiveLoss_XBM\.memory\.vectors"):
        load_checkpoint(tmp_path / "at", other)


def test_a_checkpoint_of_a_loss_without_state_loads(tmp_path):
    def plain():
        return CombinedLoss([("CELoss", 1.0, CELoss())])

    save_checkpoint(
        tmp_path / "at", "at", make_learner(make_loss=plain), RunState(Position(), 1, 0)
    )
    resumed = make_learner(seed=9, make_loss=plain)
    load_checkpoint(tmp_path / "at", resumed)
    assert not resumed.loss.state_dict()
