"""What holds for every loss, whoever wrote it."""

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.registry import LOSSES

LABELS = {
    "ordinary": [0, 1, 0, 2, 1, 3],
    "grouped": [2, 2, 2, 0, 0, 0, 4, 4, 4],
    "no negatives": [4, 4, 4],
    "no positives": [0, 1, 2, 3],
    "one sample": [2],
}
WIDTHS = {
    "backbone": 7,
    "features": 6,
    "logits": 5,
    "teacher_backbone": 3,
    "teacher_features": 9,
    "teacher_logits": 5,
}
DERIVED = {"num_classes": WIDTHS["logits"], "in_features": WIDTHS["features"]}
# Losses whose value depends on the order of the batch, and why it has to.
ORDERED = {"NpairsLoss": "rows of a class are paired, first with second, in the order they stand"}
# Losses that have something to say of a row alone, without any pair.
OF_ROWS = {
    *{"CELoss", "CenterLoss", "ProxyAnchorLoss", "ProxyNCALoss"},
    *{"DCHLoss", "DSHSDLoss", "LCDSHLoss", "DMLLoss", "KLDivLoss"},
}
# What lets a loss take every one of its ways in the tests below.
OPTIONS = {
    "ContrastiveLoss_XBM": [{"start_iter": 0, "xbm_size": 4}, {"start_iter": 0}],
    "TripletAngularMarginLoss_XBM": [{"start_iter": 0, "xbm_size": 4}, {"start_iter": 0}],
    "TripletLossV2": [{"mining": "semi_hard"}],
    "MultiSimilarityLoss": [{"epsilon": None}],
    "CenterLoss": [{"normalize_feature": True}],
    "CELoss": [{"of": "teacher"}],
}
CASES = [
    pytest.param(name, options, id=f"{name}{index or ''}")
    for name in LOSSES.names()
    for index, options in enumerate([{}, *OPTIONS.get(name, [])])
]


def build(name, **options):
    """A loss with what the toolkit derives filled in, the same numbers each time."""
    paddle.seed(4)
    derived = {o.name: DERIVED[o.name] for o in LOSSES.options(name) if o.handed_in}
    return LOSSES.build(name, **derived, **options)


def network_outputs(batch, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: paddle.to_tensor(
            rng.normal(size=(batch, width)).astype(np.float32), stop_gradient=False
        )
        for name, width in WIDTHS.items()
    }


def gradients_of(outputs):
    return [output.grad.numpy() for output in outputs.values() if output.grad is not None]


@pytest.mark.parametrize("layout", LABELS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_value_and_gradient_are_finite_on_any_batch(name, options, layout):
    outputs, labels = network_outputs(len(LABELS[layout])), paddle.to_tensor(LABELS[layout])
    loss = build(name, **options)(outputs, labels)
    assert loss.shape == []
    assert np.isfinite(float(loss))
    assert float(loss) >= 0.0
    loss.backward()
    assert gradients_of(outputs)  # even a loss of zero leads back to the network
    assert all(np.isfinite(gradient).all() for gradient in gradients_of(outputs))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_row_alone_gives_zero_and_no_gradient(name, options):
    outputs = network_outputs(1)
    loss = build(name, **options)(outputs, paddle.to_tensor([2]))
    loss.backward()
    nothing = float(loss) == 0.0 and not any(g.any() for g in gradients_of(outputs))
    assert nothing == (name not in OF_ROWS)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_zero_vector_harms_nothing(name, options):
    """All vectors zero, and one zero vector among others."""
    for zeros in (range(6), [1]):
        outputs = {key: value.detach() for key, value in network_outputs(6).items()}
        for value in outputs.values():
            value[list(zeros)] = 0.0
            value.stop_gradient = False
        loss = build(name, **options)(outputs, paddle.to_tensor(LABELS["ordinary"]))
        loss.backward()
        assert np.isfinite(float(loss))
        for gradient in gradients_of(outputs):
            assert np.abs(gradient).max() < 1e3


@pytest.mark.parametrize(("name", "options"), CASES)
def test_equal_vectors_harm_nothing(name, options):
    """A network that has collapsed: the distances between all are 0."""
    outputs = {
        key: paddle.to_tensor(np.tile(value.numpy()[:1], (6, 1)), stop_gradient=False)
        for key, value in network_outputs(6).items()
    }
    loss = build(name, **options)(outputs, paddle.to_tensor(LABELS["ordinary"]))
    loss.backward()
    assert np.isfinite(float(loss))
    for gradient in gradients_of(outputs):
        assert np.abs(gradient).max() < 1e3


# A memory smaller than the batch keeps its last rows.
@pytest.mark.parametrize(
    ("name", "options"), [case for case in CASES if case.values[1].get("xbm_size", 6) >= 6]
)
def test_the_order_of_the_batch_does_not_matter(name, options):
    outputs, labels = network_outputs(6), paddle.to_tensor(LABELS["ordinary"])
    # Both classes with two rows are turned round, so that an order in a class shows.
    order = paddle.to_tensor([4, 5, 2, 3, 1, 0])
    shuffled = {key: value[order] for key, value in outputs.items()}
    one = float(build(name, **options)(outputs, labels))
    two = float(build(name, **options)(shuffled, labels[order]))
    assert (one == pytest.approx(two, rel=1e-5)) == (name not in ORDERED)


@pytest.mark.parametrize("name", [name for name in LOSSES.names() if name not in OF_ROWS])
def test_the_numbers_of_the_classes_mean_nothing_but_the_classes(name):
    """Label 0 is a class like any other."""
    outputs = network_outputs(6)
    values = [
        float(build(name)(outputs, paddle.to_tensor(labels)))
        for labels in (LABELS["ordinary"], [4, 0, 4, 3, 0, 1])
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in LOSSES.names()
        if "feature_from" in {option.name for option in LOSSES.options(name)}
    ],
)
def test_reads_the_output_it_is_told_to(name):
    outputs, labels = network_outputs(6), paddle.to_tensor(LABELS["ordinary"])
    # A memory or proxies are as wide as the features: both outputs are made so.
    outputs["backbone"] = outputs["backbone"][:, :6]
    swapped = outputs | {
        f"{who}{here}": outputs[f"{who}{there}"]
        for who in ("", "teacher_")
        for here, there in (("features", "backbone"), ("backbone", "features"))
    }
    there = float(build(name, feature_from="backbone")(outputs, labels))
    assert there == float(build(name)(swapped, labels))
    assert there != float(build(name)(outputs, labels))


class Recording(dict):
    """Outputs that remember which of them were asked for."""

    def __init__(self, outputs):
        super().__init__(outputs)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_tells_what_it_reads(name, options):
    outputs, loss = Recording(network_outputs(6)), build(name, **options)
    loss(outputs, paddle.to_tensor(LABELS["ordinary"]))
    assert outputs.read == set(loss.reads)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_missing_output_is_named(name):
    with pytest.raises(ConfigError, match=rf"{name} reads the output '\w+', .* gives nothing"):
        build(name)({"nothing": paddle.zeros([2, 2])}, paddle.to_tensor([0, 1]))


def test_missing_logits_mean_a_missing_head():
    with pytest.raises(ConfigError, match=r"Arch\.Head"):
        LOSSES.build("CELoss")({"features": paddle.zeros([2, 2])}, paddle.to_tensor([0, 1]))


@pytest.mark.parametrize("name", ["DMLLoss", "KLDivLoss", "RKDLoss"])
def test_missing_outputs_of_a_teacher_mean_a_missing_teacher(name):
    outputs = {key: value for key, value in network_outputs(2).items() if "teacher" not in key}
    with pytest.raises(ConfigError, match=rf"{name} reads the output 'teacher_.*Arch\.Teacher"):
        LOSSES.build(name)(outputs, paddle.to_tensor([0, 1]))


@pytest.mark.parametrize("name", sorted(ORDERED))
def test_the_reasons_name_losses_that_there_are(name):
    assert name in LOSSES
