import numpy as np
import paddle
import pytest

from toolkit.losses.combined import CombinedLoss
from toolkit.losses.cross_entropy import CELoss
from toolkit.losses.triplet_angular import TripletAngularMarginLoss


@pytest.fixture
def batch():
    paddle.seed(1)
    outputs = {"features": paddle.randn([6, 4]), "logits": paddle.randn([6, 3])}
    for value in outputs.values():
        value.stop_gradient = False
    return outputs, paddle.to_tensor([0, 0, 1, 1, 2, 2])


def test_adds_the_parts_by_weight(batch):
    cross_entropy, triplet = CELoss(), TripletAngularMarginLoss()
    combined = CombinedLoss([("CELoss", 1.0, cross_entropy), ("Triplet", 0.25, triplet)])
    total, parts = combined(*batch)
    assert float(parts["CELoss"]) == float(cross_entropy(*batch))
    assert float(parts["Triplet"]) == float(triplet(*batch))
    assert float(total) == pytest.approx(float(parts["CELoss"]) + 0.25 * float(parts["Triplet"]))


def test_one_part_alone_is_weighted_too(batch):
    total, parts = CombinedLoss([("CELoss", 0.5, CELoss())])(*batch)
    assert float(total) == pytest.approx(0.5 * float(parts["CELoss"]))


def test_gradient_flows_through_the_total_only(batch):
    outputs, labels = batch
    total, parts = CombinedLoss([("CELoss", 2.0, CELoss())])(outputs, labels)
    assert parts["CELoss"].stop_gradient
    total.backward()
    twice = outputs["logits"].grad.numpy().copy()
    outputs["logits"].clear_grad()
    CELoss()(outputs, labels).backward()
    np.testing.assert_allclose(twice, 2 * outputs["logits"].grad.numpy(), rtol=1e-5)


def test_parameters_of_parts_are_its_own():
    class Centres(CELoss):
        def __init__(self):
            super().__init__()
            self.centres = self.create_parameter([2, 2])

    assert list(CombinedLoss([("Centres", 1.0, Centres())]).state_dict()) == [
        "parts.Centres.centres"
    ]


@pytest.mark.parametrize("names", [[], ["CELoss", "CELoss"]])
def test_parts_need_different_names(names):
    with pytest.raises(ValueError, match="parts with different names"):
        CombinedLoss([(name, 1.0, CELoss()) for name in names])
