import paddle
import pytest

from toolkit.models.backbones.resnet_v2 import ResNetV2
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES


@pytest.mark.parametrize(
    ("name", "class_num", "side"),
    [
        ("TinyResNet_v2", 0, 64),
        ("TinyResNet_v2 logits", 10, 64),
        ("TinyResNet_v2, odd maps", 0, 75),
    ],
)
def test_equals_keras_on_the_same_weights(name, class_num, side, distance_to_golden):
    network = ResNetV2("smallest", class_num=class_num)
    assert distance_to_golden(network, name, side=side) < 1e-5


# What Keras counts as trainable in its own networks with a classifier of 1000 classes.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters"),
    [("ResNet50_v2", 25568360), ("ResNet101_v2", 44577896), ("ResNet152_v2", 60236904)],
)
def test_size_is_the_published_one(name, parameters):
    backbone = BACKBONES.build(name, class_num=1000)
    assert measure_cost(backbone, (32, 32)).parameters == parameters


def test_maps_are_the_last_of_each_resolution():
    backbone = ResNetV2("smallest")
    backbone.eval()
    outputs = {}
    for number, block in enumerate(backbone.blocks):
        block.register_forward_post_hook(lambda *call, n=number: outputs.update({n: call[2]}))
    with paddle.no_grad():
        maps = backbone.maps(paddle.randn([1, 3, 64, 64]))
    # Stages of two, three and two blocks; the last of the first two shrinks the map.
    assert [maps[0].shape, outputs[1].shape] == [[1, 32, 16, 16], [1, 32, 8, 8]]
    assert maps[0].tolist() == outputs[0].tolist()
    assert maps[1].tolist() == outputs[3].tolist()
    assert maps[2].tolist() == paddle.nn.functional.relu(backbone.bn(outputs[6])).tolist()
