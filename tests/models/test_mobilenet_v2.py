import paddle
import pytest

from toolkit.models.backbones.mobilenet_v2 import MobileNetV2
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES


def test_equals_paddleclas_on_the_same_weights(distance_to_golden):
    network, whole = MobileNetV2(0.125), MobileNetV2(0.125, class_num=10)
    assert distance_to_golden(network, "TinyMobileNetV2", gain=0.75) < 1e-5
    assert distance_to_golden(whole, "TinyMobileNetV2 logits", gain=0.75) < 1e-5


def test_size_is_the_published_one():
    # torchvision's MobileNetV2 has 3,504,872 parameters; ours a 32 -> 32 expansion more.
    backbone = BACKBONES.build("MobileNetV2", class_num=1000)
    cost = measure_cost(backbone, (32, 32))
    assert cost.parameters == 3504872 + 32 * 32 + 2 * 32


@pytest.mark.parametrize(("scale", "length"), [(0.125, 1280), (1.5, 1920)])
def test_only_wider_networks_have_a_longer_feature(scale, length):
    assert MobileNetV2(scale).out_features == length


def test_what_happens_inside_a_block_can_be_watched():
    backbone = MobileNetV2(0.125)
    backbone.eval()
    seen = {}

    def watch(name, layer):
        layer.register_forward_post_hook(lambda *call: seen.update({name: call[2].shape}))

    watch("stem", backbone.conv1)
    watch("expanded", backbone.conv3._first_block._expand_conv)
    watch("filtered", backbone.conv3._first_block._bottleneck_conv)
    watch("block", backbone.conv3.conv3_2)
    watch("last", backbone.conv9)
    with paddle.no_grad():
        backbone(paddle.randn([1, 3, 64, 64]))
    # An eighth of 16, six times as wide inside; 24 / 8 = 3 channels come out.
    assert seen == {
        "stem": [1, 4, 32, 32],
        "expanded": [1, 12, 32, 32],
        "filtered": [1, 12, 16, 16],
        "block": [1, 3, 16, 16],
        "last": [1, 1280, 2, 2],
    }
