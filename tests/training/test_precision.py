"""Mixed precision: what is scaled, what is left out, and what stays in 32 bits."""

import numpy as np
import paddle
import pytest
from tiny_training import Net, assert_identical, make_learner, make_loader, snapshot

from toolkit.models.heads.fc import FC
from toolkit.models.recognizer import Recognizer
from toolkit.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Listener, Position
from toolkit.training.precision import LossScaler, Precision


def half(scale=1024.0, **options) -> Precision:
    """float16 as a CPU does it: no cast, but the scaling of the loss."""
    return Precision("O1", "float16", casts=False, scaler=LossScaler(scale, **options))


def train(precision, *, loader=None, epochs=2, **options):
    learner = make_learner(**options)
    learner.precision = precision
    fit(learner, loader or make_loader(), TrainingPlan(epochs=epochs))
    return learner


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_a_scale_that_is_a_power_of_two_changes_nothing(scale):
    """Multiplying by it and dividing again is exact, also before clipping and accumulation."""
    assert_identical(snapshot(train(Precision())), snapshot(train(half(scale))))


def test_gradients_that_are_not_finite_leave_the_update_out():
    learner = make_learner()
    learner.precision = half(1024.0, growth_steps=3)
    scaler, scales, changed = learner.precision.scaler, [], []
    spoilt = learner.model.backbone.weight
    # The third update: one gradient is not finite, as after an overflow.
    calls = []

    def overflow(gradient):
        calls.append(1)
        return gradient * float("inf") if len(calls) == 3 else gradient

    spoilt.register_hook(overflow)

    class Watch(Listener):
        before = snapshot(learner)

        def on_step(self, _):
            now = snapshot(learner)
            names = [n for n in now if "_mean" not in n and "_variance" not in n]
            changed.append(any(not np.array_equal(now[n], self.before[n]) for n in names))
            self.before = now
            scales.append(scaler.scale)

    fit(learner, make_loader(), TrainingPlan(epochs=1), listeners=[Watch()])
    # Three finite updates in a row double the scale; then counting begins anew.
    assert changed == [True, True, False, True, True, True]
    assert scales == [1024, 1024, 512, 512, 512, 1024]
    assert (scaler.skipped_steps, scaler.finite_steps) == (1, 0)
    assert learner.average.num_updates == 5


@pytest.mark.parametrize(
    ("scale", "finite", "expected"), [(1.0, False, 1.0), (2.0**24, True, 2.0**24)]
)
def test_the_scale_stays_within_limits(scale, finite, expected):
    weight = paddle.create_parameter([2], "float32")
    (weight * (1.0 if finite else float("inf"))).sum().backward()
    scaler = LossScaler(scale, growth_steps=1)
    assert scaler.unscale([weight]) == finite
    assert scaler.scale == expected


def test_the_scale_is_part_of_a_checkpoint(tmp_path):
    learner = train(half(256.0, growth_steps=5))
    saved = learner.precision.scaler
    assert (saved.scale, saved.finite_steps) == (1024.0, 2)  # 12 updates
    save_checkpoint(tmp_path / "latest", "latest", learner, RunState(Position(3, 0, 12), 2, 0))
    other = make_learner(seed=9)
    other.precision = half(8.0)
    load_checkpoint(tmp_path / "latest", other)
    assert other.precision.scaler == saved
    without = make_learner()
    load_checkpoint(tmp_path / "latest", without)  # goes on in float32
    assert without.precision.scaler is None


def test_the_loss_gets_float32():
    precision = Precision("O2", "bfloat16")
    outputs = {
        "features": paddle.ones([2, 3]).astype("bfloat16"),
        "views": [paddle.ones([2]).astype("float16"), paddle.arange(3)],
    }
    whole = precision.whole(outputs)
    assert whole["features"].dtype == whole["views"][0].dtype == paddle.float32
    assert whole["views"][1].dtype == paddle.int64
    assert Precision().whole(outputs) is outputs


@pytest.mark.parametrize(("level", "dtype"), [("O1", "bfloat16"), ("O2", "float16")])
def test_the_forward_pass_is_cast_as_asked(monkeypatch, level, dtype):
    given = []
    original = paddle.amp.auto_cast
    monkeypatch.setattr(
        paddle.amp, "auto_cast", lambda **options: (given.append(options), original(False))[1]
    )
    with Precision(level, dtype).fewer_bits():
        pass
    assert (given[0]["level"], given[0]["dtype"]) == (level, dtype)
    assert {"batch_norm", "layer_norm"} <= given[0]["custom_black_list"]
    with Precision(level, dtype, casts=False).fewer_bits(), Precision().fewer_bits():
        pass
    assert len(given) == 1


def test_a_class_head_computes_in_float32():
    class Half(paddle.nn.Layer):
        out_features = 4

        def forward(self, images):
            return images.flatten(1)[:, :4].astype("bfloat16")

    network = Recognizer(Half(), None, FC(4, 3))
    outputs = network(paddle.randn([2, 3, 2, 2]))
    assert outputs["features"].dtype == paddle.bfloat16
    assert outputs["logits"].dtype == paddle.float32
    outputs["logits"].sum().backward()
    assert network.head.fc.weight.grad.dtype == paddle.float32


def test_weights_stay_in_32_bits():
    learner = train(Precision("O1", "bfloat16", casts=False), epochs=1)
    assert {str(tensor.dtype) for tensor in Net().state_dict().values()} == {"paddle.float32"}
    assert {array.dtype for array in snapshot(learner).values()} == {np.dtype("float32")}
