import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.backbones.inception_blocks import Conv, Family
from toolkit.models.backbones.inception_resnet_v2 import ResidualBranches
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES


@pytest.mark.parametrize(("line", "side"), [("", 107), (" 98 pixels", 98)])
def test_equals_keras_on_the_same_weights(distance_to_golden, line, side):
    network = BACKBONES.build("TinyInceptionResNetV2")
    assert distance_to_golden(network, f"TinyInceptionResNetV2{line}", side=side) < 1e-5


@pytest.mark.parametrize(("act", "expected"), [(True, [[0.0, 3.5]]), (False, [[-0.5, 3.5]])])
def test_a_block_adds_a_part_of_its_residual(act, expected):
    rows = ((Conv("a", 3),),)
    block = ResidualBranches(2, rows, Family(), factor=0.25, act=act)
    assert block.out_channels == 2
    block.Conv2d_1x1.weight.set_value(paddle.zeros([2, 3, 1, 1]))
    block.Conv2d_1x1.bias.set_value(np.array([2.0, 6.0], dtype=np.float32))
    x = paddle.to_tensor(np.array([-1.0, 2.0], dtype=np.float32)).reshape([1, 2, 1, 1])
    # -1 + 0.25 x 2 and 2 + 0.25 x 6.
    assert block(x).flatten(1).tolist() == expected


def test_depths_are_the_blocks_with_a_factor_on_each_grid():
    network = BACKBONES.build("InceptionResNetV2", scale=0.0625, depths=[1, 3, 2])
    repeats = (network.Repeat, network.Repeat_1, network.Repeat_2)
    assert [len(repeat) for repeat in repeats] == [1, 3, 2]
    assert [repeat[0].factor for repeat in repeats] == [0.17, 0.1, 0.2]
    assert network.Block8.factor == 1.0
    assert type(network.Block8.relu) is paddle.nn.Identity
    with pytest.raises(ConfigError, match=r"depths needs 3 numbers, one a grid; got 2: \[1, 2\]"):
        BACKBONES.build("InceptionResNetV2", depths=[1, 2])


def test_maps_have_the_sides_of_the_paper(map_sizes):
    # Figures 3 and 15: an image of 299 pixels gives grids of 35, 17 and 8 pixels.
    network = BACKBONES.build("TinyInceptionResNetV2")
    sizes = map_sizes(network, paddle.randn([1, 3, 299, 299]))
    sides = {"Mixed_5b": 35, "Repeat": 35, "Mixed_6a": 17, "Mixed_7a": 8, "Conv2d_7b_1x1": 8}
    assert {name: sizes[name][1] for name in sides} == sides


@pytest.mark.slow
def test_size_is_the_published_one():
    # Keras counts 55873736 parameters with 1000 classes, 60544 of them running means and
    # variances. Its norms have no gain; ours have one for each mean.
    network = BACKBONES.build("InceptionResNetV2", class_num=1000)
    expected = 55873736 - 60544 + 60544 // 2
    assert measure_cost(network, (75, 75)).parameters == expected
