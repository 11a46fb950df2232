import paddle
import pytest

from toolkit.models.backbones.vgg import VGG
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES


def test_equals_paddleclas_on_the_same_weights(distance_to_golden):
    assert distance_to_golden(VGG("smallest"), "TinyVGG") < 1e-5
    assert distance_to_golden(VGG("smallest", class_num=10), "TinyVGG logits") < 1e-5


# torchvision's documentation of its weights: parameters with the classifier of 1000 classes. Its
# convolutions have a bias each, ours have none: 64, 128, 256, 512 and 512 values a convolution.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "published", "biases"),
    [
        ("VGG11", 132863336, 64 + 128 + 2 * (256 + 512 + 512)),
        ("VGG13", 133047848, 2 * (64 + 128 + 256 + 512 + 512)),
        ("VGG16", 138357544, 2 * (64 + 128) + 3 * (256 + 512 + 512)),
        ("VGG19", 143667240, 2 * (64 + 128) + 4 * (256 + 512 + 512)),
    ],
)
def test_size_is_the_published_one(name, published, biases):
    backbone = BACKBONES.build(name, class_num=1000, any_size=True)
    assert measure_cost(backbone, (32, 32)).parameters == published - biases


def test_dropout_scales_instead_of_dropping_when_not_training():
    network = VGG("smallest", dropout_prob=0.25)
    network.eval()
    seen = []
    network.relu1.register_forward_post_hook(lambda *call: seen.append(call[2]))
    network.drop.register_forward_post_hook(lambda *call: seen.append(call[2]))
    network(paddle.randn([1, 3, 64, 64]))
    assert (0.75 * seen[0] - seen[1]).abs().max() < 1e-6
    assert seen[1].abs().max() > 0
