"""What a method learns and remembers is resumed bit for bit, in any place of an epoch."""

import numpy as np
import pytest

from toolkit.build.selfsup import prepare_selfsup
from toolkit.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from toolkit.training.fit import fit
from toolkit.training.learner import Listener, Position, state_arrays

MOVES = {
    "MoCo": ["queue.keys", "queue.written", "projector.0.weight", "slow.heads.0.0.weight"],
    "MoBY": ["queues.0.keys", "queues.1.keys", "predictor.0.weight"],
    "SwAV": ["queues.0.keys", "queues.1.keys", "prototypes.weight", "projector.1._mean"],
    "DINO": ["center", "head.last.weight", "teacher.network.backbone.stem.conv.weight"],
}


class Recorder(Listener):
    """Keeps every loss, and writes a checkpoint after one update as if the process died there."""

    def __init__(self, folder=None, learner=None, stop=None):
        self.folder, self.learner, self.stop, self.losses = folder, learner, stop, []

    def on_step(self, record):
        self.losses.append((record.loss, record.learning_rate, record.parts))
        if record.position.step == self.stop:
            state = RunState(record.position, record.epoch, seed=0)
            save_checkpoint(self.folder / "at", "at", self.learner, state)


def snapshot(learner):
    found = state_arrays(learner.model)
    found |= {f"loss.{name}": array for name, array in state_arrays(learner.loss).items()}
    for kind, entries in learner.optimizer.state()["accumulators"].items():
        found |= {f"{kind} of {name}": array for name, array in entries.items()}
    return {name: np.array(array) for name, array in found.items()}


@pytest.mark.parametrize("method", MOVES)
@pytest.mark.parametrize("stop", [1, 3])
def test_resumed_is_undisturbed_bit_for_bit(configure_selfsup, tmp_path, method, stop):
    # 32 pictures: 4 batches, so 2 updates an epoch.
    settings = ("Global.mode=train", "Train.accumulate_steps=2", "Train.kernels=paddle")
    whole = prepare_selfsup(configure_selfsup(method, *settings), None)
    before = snapshot(whole.learner)
    recorder = Recorder(tmp_path, whole.learner, stop)
    fit(whole.learner, whole.feed(Position())[0], whole.plan, listeners=[recorder])
    after = snapshot(whole.learner)
    for name in MOVES[method]:
        assert (before[f"loss.{name}"] != after[f"loss.{name}"]).any(), name

    other = configure_selfsup(method, *settings)
    resumed = prepare_selfsup(other, None)
    for _, parameter in resumed.learner.loss.named_parameters():
        parameter.set_value(parameter.numpy() + 1)  # nothing may be left of how it was built
    state = load_checkpoint(tmp_path / "at", resumed.learner)
    again = Recorder()
    loader, _ = resumed.feed(state.position)
    fit(resumed.learner, loader, resumed.plan, listeners=[again], start=state.position)
    found = snapshot(resumed.learner)
    assert list(found) == list(after)
    for name, array in after.items():
        np.testing.assert_array_equal(array, found[name], err_msg=name)
    assert again.losses == recorder.losses[stop:]
