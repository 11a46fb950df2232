import paddle
import pytest

from toolkit.models.backbones.alexnet import AlexNet
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES


def test_equals_paddleclas_on_the_same_weights(distance_to_golden):
    assert distance_to_golden(AlexNet("smallest"), "TinyAlexNet", side=128) < 1e-5
    whole = AlexNet("smallest", class_num=10)
    assert distance_to_golden(whole, "TinyAlexNet logits", side=128) < 1e-5


@pytest.mark.slow
def test_size_is_the_published_one():
    # torchvision's documentation of its weights.
    cost = measure_cost(BACKBONES.build("AlexNet", class_num=1000), (224, 224))
    assert cost.parameters == 61100840
    assert cost.multiply_adds / 1e9 == pytest.approx(0.71, abs=0.01)


@pytest.mark.slow
def test_parameters_are_those_of_paddle_vision():
    ours = BACKBONES.build("AlexNet", class_num=1000).state_dict()
    theirs = paddle.vision.models.AlexNet().state_dict()
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }


def test_both_dropouts_scale_instead_of_dropping_when_not_training():
    network = AlexNet("smallest", dropout_prob=0.25)
    network.eval()
    ones = paddle.ones([1, 4])
    assert network._drop1(ones).tolist() == network._drop2(ones).tolist() == [[0.75] * 4]


def test_linear_layers_start_within_the_bound_of_their_inputs():
    weight = AlexNet("smallest")._fc7.weight
    assert 0.9 / 8 < float(weight.abs().max()) <= 1 / 8  # 64 inputs
