import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.backbones.alexnet import AlexNet
from toolkit.models.backbones.fixed_map import FixedMap
from toolkit.models.backbones.vgg import VGG


def test_a_map_of_the_right_size_is_flattened_as_it_is():
    last = paddle.arange(2 * 3 * 2 * 2, dtype="float32").reshape([2, 3, 2, 2])
    for any_size in (False, True):
        flat = FixedMap(2, 64, any_size=any_size)(last)
        assert flat.tolist() == [list(range(12)), list(range(12, 24))]


def test_another_size_is_averaged_when_that_is_wanted():
    last = paddle.arange(16, dtype="float32").reshape([1, 1, 4, 4])
    # By hand: the means of the four quarters of 0 .. 15 written in rows of four.
    assert FixedMap(2, 64, any_size=True)(last).tolist() == [[2.5, 4.5, 10.5, 12.5]]


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
def test_another_size_is_refused_by_both_sizes(shape):
    wanted = rf"last map is {shape[0]} x {shape[1]}.* for 2 x 2, .*64 x 64.*any_size"
    with pytest.raises(ConfigError, match=wanted):
        FixedMap(2, 64, any_size=False)(paddle.ones([1, 3, *shape]))


# Each network, the layer that is fc7, and the images that it is made for.
FC7 = [(AlexNet, "_fc7", 128), (VGG, "fc2", 64)]


@pytest.mark.parametrize(("network", "layer", "side"), FC7)
def test_the_feature_is_fc7_after_its_activation(network, layer, side):
    backbone = network("smallest")
    backbone.eval()
    seen = []
    getattr(backbone, layer).register_forward_post_hook(lambda *call: seen.append(call[2]))
    feature = backbone(paddle.randn([2, 3, side, side]))
    assert float(seen[0].min()) < 0
    assert feature.tolist() == paddle.nn.functional.relu(seen[0]).tolist()


@pytest.mark.parametrize(("network", "layer", "side"), FC7)
def test_other_images_are_refused_unless_any_size_passes(network, layer, side):
    images = paddle.randn([1, 3, side // 2, side // 2])
    with pytest.raises(ConfigError, match=rf"last map is 1 x 1.*, .* {side} x {side} pixels"):
        network("smallest")(images)
    hidden = getattr(network("smallest"), layer).weight.shape[1]
    assert network("smallest", any_size=True)(images).shape == [1, hidden]
