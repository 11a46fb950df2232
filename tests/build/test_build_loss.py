"""Losses as a configuration says them, with what follows from the data and the network."""

import pytest

from toolkit.build.loss import build_loss
from toolkit.build.model import build_recognizer
from toolkit.build.optimizer import build_optimizer
from toolkit.errors import ConfigError

SIZES = {"features": 8, "backbone": 12}
OUTPUTS = ("backbone", "features", "logits")


def parts_of(configure, losses):
    return build_loss(configure(f"Loss={losses}").Loss, 5, SIZES, OUTPUTS).parts


def test_classes_and_lengths_are_handed_in(configure):
    parts = parts_of(configure, "[CenterLoss, ProxyAnchorLoss: {feature_from: backbone}]")
    assert parts["CenterLoss"].centers.shape == [5, 8]
    assert parts["ProxyAnchorLoss"].proxies.shape == [5, 12]


def test_a_memory_is_as_wide_as_what_it_holds(configure):
    options = "{feature_from: backbone, xbm_size: 3}"
    parts = parts_of(configure, f"[CELoss, ContrastiveLoss_XBM: {options}]")
    assert parts["ContrastiveLoss_XBM"].memory.vectors.shape == [3, 12]


@pytest.mark.parametrize("key", ["in_features", "num_classes"])
def test_no_configuration_says_what_is_handed_in(configure, key):
    with pytest.raises(ConfigError, match=f"CenterLoss.{key}"):
        configure(f"Loss=[CenterLoss: {{{key}: 7}}]")


def test_what_a_loss_learns_is_in_the_optimizer_at_its_own_rate(configure):
    config = configure("Loss=[CELoss, CenterLoss: {lr_factor: 1000.0}]")
    model, loss = build_recognizer(config.Arch, 4), build_loss(config.Loss, 4, SIZES, OUTPUTS)
    optimizer = build_optimizer(config.Optimizer, 0.05, model, loss)
    found = {item.name: item.parameter.optimize_attr for item in optimizer.parameters}
    assert found["loss.parts.CenterLoss.centers"] == {"learning_rate": 1000.0}
    assert sum(attributes["learning_rate"] != 1.0 for attributes in found.values()) == 1


@pytest.mark.parametrize("factor", ["0", "-1.0"])
def test_a_factor_is_above_zero(configure, factor):
    with pytest.raises(ConfigError, match=r"CenterLoss\.lr_factor.*greater than 0"):
        configure(f"Loss=[CenterLoss: {{lr_factor: {factor}}}]")


@pytest.mark.parametrize(
    ("losses", "outputs", "message"),
    [
        ("[CELoss]", ("backbone", "features"), r"CELoss reads the output 'logits'.*Arch\.Head"),
        ("[CELoss, DSHSDLoss]", ("features",), r"reads the output 'logits'"),
        ("[CELoss, RKDLoss]", OUTPUTS, r"RKDLoss reads the output 'teacher_features'.*Teacher"),
        ("[CELoss: {of: teacher}]", OUTPUTS, r"CELoss reads the output 'teacher_logits'"),
        ("[KLDivLoss]", (*OUTPUTS, "teacher_features"), r"'teacher_logits'.*with a Head"),
    ],
)
def test_an_output_that_is_missing_is_told_before_the_first_step(
    configure, losses, outputs, message
):
    with pytest.raises(ConfigError, match=message):
        build_loss(configure(f"Loss={losses}").Loss, 5, SIZES, outputs)


@pytest.mark.parametrize(("losses", "told"), [("[CELoss]", True), ("[CELoss, RKDLoss]", False)])
def test_a_teacher_that_nothing_is_learnt_from_is_told(configure, caplog, losses, told):
    outputs = (*OUTPUTS, "teacher_backbone", "teacher_features")
    build_loss(configure(f"Loss={losses}").Loss, 5, SIZES, outputs)
    assert ("take Arch.Teacher out" in caplog.text) == told


def test_without_a_teacher_nothing_is_told_of_one(configure, caplog):
    parts_of(configure, "[CELoss]")
    assert not caplog.text
