"""The learning rate and the optimizer as a configuration says them."""

import math

import pytest

from toolkit.build.loss import build_loss
from toolkit.build.model import build_recognizer
from toolkit.build.optimizer import build_optimizer, build_schedule
from toolkit.errors import ConfigError

SIZES = {"features": 8, "backbone": 8}
OUTPUTS = ("backbone", "features", "logits")


def schedule(config, steps_per_epoch=10):
    return build_schedule(config.Optimizer, config.Train, steps_per_epoch)


def test_warmup_steps_of_train_are_epochs(configure):
    rate = schedule(configure("Train.epochs_iters=4", "Train.warmup_steps=1"))
    assert rate(0) == 0
    assert rate(5) == pytest.approx(0.025)
    assert rate(10) == pytest.approx(0.05)  # the highest, after one epoch
    assert rate(25) == pytest.approx(0.025)  # half of a cosine over the 30 steps that remain
    assert rate(40) == pytest.approx(0, abs=1e-12)


def test_warmup_iters_of_the_optimizer_are_steps(configure):
    config = configure("Train.epochs_iters=4", "Optimizer.lr={name: Cosine, warmup_iters: 4}")
    rate = schedule(config)
    assert rate(2) == pytest.approx(0.025)
    assert rate(4) == pytest.approx(0.05)
    assert rate(22) == pytest.approx(0.025)


def test_a_warm_up_longer_than_the_run_is_cut_with_a_warning(configure, caplog):
    rate = schedule(configure("Train.epochs_iters=2", "Train.warmup_steps=5"))
    assert "warm-up of 50 steps is cut to the 20" in caplog.text
    assert rate(10) == pytest.approx(0.025)


def test_the_steps_of_a_step_schedule_are_epochs(configure):
    rate = schedule(configure("Optimizer.lr={name: Step, milestones: [1, 2], gamma: 0.1}"))
    assert [rate(step) for step in (0, 9, 10, 19, 20)] == pytest.approx(
        [0.05, 0.05, 0.005, 0.005, 0.0005]
    )


@pytest.mark.parametrize("name", ["Momentum", "AdamW"])
def test_weight_decay_leaves_norms_and_biases_alone_where_asked(configure, name):
    config = configure(
        f"Optimizer={{name: {name}, weight_decay: 0.1, skip_decay: [norm, bias], "
        "lr: {name: Cosine}}"
    )
    model, loss = build_recognizer(config.Arch, 4), build_loss(config.Loss, 4, SIZES, OUTPUTS)
    optimizer = build_optimizer(config.Optimizer, 0.05, model, loss)
    before = {name: value.numpy().copy() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.clear_grad()
        (parameter * 0.0).sum().backward()  # a gradient of zeros: what moves, decay has moved
    optimizer.set_learning_rate(0.05)
    optimizer.step()
    moved = {
        name for name, value in model.named_parameters() if (value.numpy() != before[name]).any()
    }
    assert moved == {name for name in before if before[name].ndim > 1}


def test_a_loss_named_twice_is_refused(configure):
    with pytest.raises(ConfigError, match="CELoss"):
        build_loss(configure("Loss=[CELoss, CELoss]").Loss, 4, SIZES, OUTPUTS)


def test_losses_are_weighted(configure):
    import paddle

    logits, labels = paddle.zeros([2, 4]), paddle.to_tensor([0, 3])
    loss = build_loss(configure("Loss=[CELoss: {weight: 0.5}]").Loss, 4, SIZES, OUTPUTS)
    total, parts = loss({"logits": logits, "features": logits}, labels)
    assert float(total) == pytest.approx(0.5 * math.log(4))
    assert float(parts["CELoss"]) == pytest.approx(math.log(4))
