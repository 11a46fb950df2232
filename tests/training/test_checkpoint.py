"""Checkpoints: whole sets only, and strict about what fits."""

import errno
import json
import shutil

import numpy as np
import paddle
import pytest
from paddle import nn
from tiny_training import Net, assert_identical, make_learner, make_loader, snapshot

from toolkit import storage
from toolkit.cards.weights import read_state, read_weights, write_state
from toolkit.errors import StorageError, WeightsError
from toolkit.training import checkpoint
from toolkit.training.checkpoint import (
    Best,
    RunState,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Position
from toolkit.training.weight_loading import apply_weights

STATE = RunState(Position(2, 3, 9), 2, 7, 0.5, Best(1, 0.75, {"recall1": 0.75, "mAP": 0.5}))


def trained(steps=3, **options):
    learner = make_learner(**options)
    fit(learner, make_loader(), TrainingPlan(epochs=3, max_steps=steps))
    return learner


@pytest.fixture
def saved(tmp_path):
    learner = trained()
    save_checkpoint(tmp_path / "latest", "latest", learner, STATE)
    return tmp_path / "latest", learner


def test_round_trip(saved):
    folder, learner = saved
    assert sorted(file.name for file in folder.iterdir()) == [
        "latest.info.json",
        "latest.pdema",
        "latest.pdopt",
        "latest.pdparams",
        "latest.pdstates",
    ]
    for path in (folder, folder / "latest.pdparams", folder / "latest"):
        other = make_learner(seed=50)
        assert load_checkpoint(path, other) == STATE
        assert_identical(snapshot(learner), snapshot(other))
        assert other.average.num_updates == 3


def test_raw_and_averaged_weights_are_in_their_files(saved):
    folder, learner = saved
    raw, averaged = read_weights(folder / "latest.pdparams"), read_weights(folder / "latest.pdema")
    assert_identical(raw, {n: t.numpy() for n, t in learner.model.state_dict().items()})
    assert_identical(averaged, learner.average.weights())
    assert any(not np.array_equal(raw[name], averaged[name]) for name in raw)
    tensors = paddle.load(str(folder / "latest.pdparams"))  # Paddle's own reader takes it
    assert list(tensors) == list(raw)


def test_info_is_what_paddlex_reads(saved):
    folder, _ = saved
    info = json.loads((folder / "latest.info.json").read_text())
    assert (info["metric"], info["epoch"], info["format_version"]) == (0.5, 2, 1)
    assert len(info["fingerprint"]) == 16


class KilledError(BaseException):
    """Stands for a kill: no handler of the toolkit may swallow it."""


def kill_at(monkeypatch, number):
    """Lets the process die at the n-th change of the disk; returns the counter."""
    calls = {"count": 0}

    def count(original):
        def counted(*args, **kwargs):
            calls["count"] += 1
            if calls["count"] == number:
                raise KilledError
            return original(*args, **kwargs)

        return counted

    monkeypatch.setattr(checkpoint, "write_state", count(checkpoint.write_state))
    monkeypatch.setattr(checkpoint, "write_json", count(checkpoint.write_json))
    monkeypatch.setattr(storage.Path, "replace", count(storage.Path.replace))
    monkeypatch.setattr(storage.os, "fsync", count(storage.os.fsync))
    # A killed process tidies nothing up.
    monkeypatch.setattr(storage.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(storage.Path, "unlink", lambda *_, **__: None)
    return calls


def test_a_kill_at_any_moment_leaves_a_whole_set(tmp_path, monkeypatch):
    """Whatever step of the second write dies, resume finds the first or the second, unmixed."""
    first, second = trained(2), trained(5)
    states = [RunState(Position(1, 2, 2), 1, 0), RunState(Position(1, 5, 5), 1, 0)]
    moments = []
    for number in range(1, 100):
        folder = tmp_path / str(number) / "latest"
        save_checkpoint(folder, "latest", first, states[0])
        with monkeypatch.context() as patch:
            calls = kill_at(patch, number)
            try:
                save_checkpoint(folder, "latest", second, states[1])
            except KilledError:
                killed = True
            else:
                killed = False
        resumed = make_learner(seed=77)
        state = load_checkpoint(folder, resumed)
        expected = first if state == states[0] else second
        assert state in states
        assert_identical(snapshot(expected), snapshot(resumed))
        if not killed:
            break
        moments.append((number, state.position.step))
    assert calls["count"] > 12
    assert {step for _, step in moments} == {2}
    assert state == states[1]


def test_a_folder_left_aside_is_put_back(saved):
    folder, _ = saved
    folder.rename(folder.with_name(".latest.old"))
    assert find_checkpoint(folder / "latest.pdparams") == folder / "latest.pdparams"
    folder.rename(folder.with_name(".latest.old"))
    assert find_checkpoint(folder) == folder / "latest.pdparams"


def test_find_checkpoint_with_a_bare_name(saved, monkeypatch):
    folder, _ = saved
    monkeypatch.chdir(folder)
    assert find_checkpoint("latest.pdparams").is_file()
    assert find_checkpoint("latest").is_file()


@pytest.mark.parametrize("suffix", [".pdparams", ".pdopt", ".pdstates"])
def test_an_incomplete_set_is_refused(saved, suffix):
    folder, _ = saved
    (folder / f"latest{suffix}").unlink()
    with pytest.raises(WeightsError, match=rf"latest\{suffix} is missing.*pretrain_weight_path"):
        load_checkpoint(folder, make_learner())


@pytest.mark.parametrize("suffix", [".pdparams", ".pdopt", ".pdema"])
def test_files_of_two_checkpoints_are_not_mixed(saved, tmp_path, suffix):
    folder, _ = saved
    save_checkpoint(tmp_path / "other", "latest", trained(4), STATE)
    shutil.copy(tmp_path / "other" / f"latest{suffix}", folder)
    with pytest.raises(WeightsError, match="is of another checkpoint"):
        load_checkpoint(folder, make_learner())
    (folder / "latest.pdema").unlink()
    if suffix == ".pdema":
        with pytest.raises(WeightsError, match=r"pdema is missing"):
            load_checkpoint(folder, make_learner())


def test_a_checkpoint_of_paddleclas_is_refused_with_the_way_out(saved):
    folder, _ = saved
    write_state(folder / "latest.pdstates", {"metric": 0.5, "epoch": 3})
    with pytest.raises(WeightsError, match="pretrain_weight_path"):
        load_checkpoint(folder, make_learner())


def test_what_was_built_otherwise_is_refused(saved, tmp_path):
    folder, _ = saved
    with pytest.raises(WeightsError, match=r"Train\.ema_decay"):
        load_checkpoint(folder, make_learner(ema=False))
    with pytest.raises(WeightsError, match="belongs to Momentum"):
        load_checkpoint(folder, make_learner("AdamW"))
    with pytest.raises(WeightsError, match=r"missing in the file|unknown to the network"):
        load_checkpoint(folder, make_learner(norm=False))
    plain = trained(ema=False)
    save_checkpoint(tmp_path / "plain", "plain", plain, STATE)
    with pytest.raises(WeightsError, match=r"Train\.ema_decay"):
        load_checkpoint(tmp_path / "plain", make_learner())


def test_loss_parameters_are_part_of_it(saved):
    folder, learner = saved
    states = read_state(folder / "latest.pdstates")
    np.testing.assert_array_equal(states["loss"]["scale"], learner.loss.scale.numpy())
    assert learner.loss.scale.item() != 2.0
    other = make_learner()
    other.loss = nn.CrossEntropyLoss()
    with pytest.raises(WeightsError, match=r"parameters of the loss.*scale"):
        load_checkpoint(folder, other)


def test_a_failing_export_leaves_the_old_checkpoint(saved):
    folder, learner = saved

    def fail(temporary):
        raise RuntimeError("export")

    with pytest.raises(RuntimeError, match="export"):
        save_checkpoint(folder, "latest", trained(5), STATE, finish=fail)
    other = make_learner(seed=4)
    load_checkpoint(folder, other)
    assert_identical(snapshot(learner), snapshot(other))
    assert [path.name for path in folder.parent.iterdir()] == ["latest"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("failing", range(1, 6))
def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(saved, monkeypatch, number, failing):
    folder, learner = saved
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(number, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", full)
        with pytest.raises(StorageError, match=r"latest of step 9 .*MiB are free.*=auto") as caught:
            save_checkpoint(folder, "latest", trained(5), STATE)
    assert caught.value.exit_code == 2
    other = make_learner(seed=4)
    load_checkpoint(folder, other)
    assert_identical(snapshot(learner), snapshot(other))
    assert [path.name for path in folder.parent.iterdir()] == ["latest"]


class TestApplyWeights:
    def weights(self):
        return {n: t.numpy() + 1 for n, t in Net().state_dict().items()}

    def test_all(self):
        net, weights = Net(), self.weights()
        report = apply_weights(net, weights)
        assert report.loaded == list(weights)
        assert (report.missing, report.unexpected, report.mismatched) == ([], [], {})
        assert_identical(weights, {n: t.numpy() for n, t in net.state_dict().items()})

    def test_a_head_for_other_classes_stays_as_it_is(self, caplog):
        net, weights = Net(), self.weights()
        own = net.head.weight.numpy().copy()
        weights["head.weight"] = np.zeros((8, 100), "float32")
        del weights["head.bias"]
        weights["head.other"] = np.zeros(1)
        report = apply_weights(net, weights)
        assert report.mismatched == {"head.weight": ((8, 100), (8, 3))}
        assert (report.missing, report.unexpected) == (["head.bias"], ["head.other"])
        np.testing.assert_array_equal(net.head.weight.numpy(), own)
        assert "head was left as initialised: the weights are for 100 classes, this" in caplog.text
        assert "network for 3 (head.weight is [8, 100] in the file and [8, 3] here)." in caplog.text

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda w: w.update({"head.weight": np.zeros((9, 2), "float32")}), "of another kind"),
            (lambda w: w.update({"head.weight": np.zeros(8, "float32")}), "of another kind"),
            (lambda w: w.update({"head.x": w.pop("head.weight")}), "of another kind"),
            (lambda w: (w.pop("head.weight"), w.pop("head.bias")), "the weights have none"),
        ],
    )
    def test_a_head_that_does_not_fit_is_left_as_a_whole(self, caplog, change, said):
        net, weights = Net(), self.weights()
        own = net.head.bias.numpy().copy()
        change(weights)
        report = apply_weights(net, weights)
        np.testing.assert_array_equal(net.head.bias.numpy(), own)
        assert not any(name.startswith("head.") for name in report.loaded)
        assert "The class head was left as initialised: " in caplog.text
        assert said in caplog.text

    def test_a_head_that_fits_is_taken_and_said_to_be(self, caplog):
        caplog.set_level("INFO")
        apply_weights(Net(), self.weights())
        assert "The class head is taken from the weights as well" in caplog.text
        caplog.clear()
        apply_weights(Net(), self.weights(), may_differ=())  # a run that goes on
        assert caplog.text == ""

    def test_a_sub_centre_head_counts_its_classes(self, caplog):
        from toolkit.models.heads import SubCenterArcMargin

        network = paddle.nn.Layer()
        network.head = SubCenterArcMargin(4, 5, sub_centers=3)
        apply_weights(network, {"head.weight": np.zeros((4, 21), "float32")})
        assert "the weights are for 7 classes, this network for 5 (" in caplog.text

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda w: w.pop("backbone.bias"), r"1 missing in the file: backbone\.bias"),
            (lambda w: w.update(extra=np.ones(1)), "1 unknown to the network: extra"),
            (
                lambda w: w.update({"backbone.bias": np.ones(3)}),
                r"backbone\.bias \(file \[3\], network \[8\]\)",
            ),
            (
                lambda w: w.update({"backbone.bais": w.pop("backbone.bias")}),
                r"Did you mean 'backbone\.bais'",
            ),
        ],
    )
    def test_anything_else_is_an_error_and_changes_nothing(self, change, message):
        net, weights = Net(), self.weights()
        before = {n: t.numpy().copy() for n, t in net.state_dict().items()}
        change(weights)
        with pytest.raises(WeightsError, match=message):
            apply_weights(net, weights)
        assert_identical(before, {n: t.numpy() for n, t in net.state_dict().items()})

    def test_ignored_and_empty_tuples(self):
        net, weights = Net(), self.weights()
        weights["teacher.w"] = np.ones(1)
        assert apply_weights(net, weights, ignored=("teacher.",)).ignored == ["teacher.w"]
        with pytest.raises(WeightsError, match=r"teacher\.w"):
            apply_weights(net, weights, may_differ=())

    def test_other_float_types_are_converted(self):
        net, weights = Net(), self.weights()
        bits = (np.array([0x3F80, 0xC000] * 4, dtype="uint16"), [1.0, -2.0] * 4)
        weights["backbone.bias"] = bits[0]  # bfloat16
        weights["norm.bias"] = np.full(8, 0.5, "float16")
        apply_weights(net, weights)
        np.testing.assert_array_equal(net.backbone.bias.numpy(), bits[1])
        np.testing.assert_array_equal(net.norm.bias.numpy(), [0.5] * 8)
