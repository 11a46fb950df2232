"""What tf-slim's networks compute otherwise than those whose parameter names ours bear.

All of it together is compared with TensorFlow by `python -m benchmarks.conformance.oracles
slim_checkpoints`; here each difference stands alone.
"""

import paddle
import pytest
from paddle import nn

from toolkit.cards.slim_names import variable_names
from toolkit.models.backbones.resnet import ResNet
from toolkit.registry import BACKBONES

EPSILONS = {
    "TinyInceptionV3": 1e-3,
    "TinyInceptionV4": 1e-3,
    "TinyResNet_v2": 1e-5,
}


def layers(network, kind):
    return [layer for layer in network.sublayers() if isinstance(layer, kind)]


@pytest.mark.parametrize("name", EPSILONS)
def test_epsilons(name):
    norms = layers(BACKBONES.build(name, slim=True), nn.BatchNorm2D)
    assert {norm._epsilon for norm in norms} == {EPSILONS[name]}
    assert {norm._epsilon for norm in layers(BACKBONES.build(name), nn.BatchNorm2D)} != {
        EPSILONS[name]
    }


@pytest.mark.parametrize("name", ["TinyInceptionV3", "TinyInceptionV4"])
def test_averages_leave_the_padding_out(name):
    pools = layers(BACKBONES.build(name, slim=True), nn.AvgPool2D)
    assert pools
    for pool in pools:
        assert pool(paddle.ones([1, 1, 4, 4])).tolist() == paddle.ones([1, 1, 4, 4]).tolist()


def test_inception_v4_stacks_its_branches_in_the_order_of_their_numbers():
    network = BACKBONES.build("TinyInceptionV4", slim=True)
    names = variable_names("inception_v4", "InceptionV4", network.state_dict())
    for module, branches in network.named_children():
        if not hasattr(branches, "rows"):
            continue
        numbers = []
        for before, ends in branches.rows:
            convolutions = [name for name in (*before, *ends) if name != "_pool"]
            scopes = {names[f"{module}.{name}._conv.weight"] for name in convolutions}
            # A pool without a convolution is the last branch.
            numbers.append(min((scope.split("Branch_")[1][0] for scope in scopes), default="9"))
        assert numbers == sorted(numbers), module
        assert len(numbers) in (3, 4)


@pytest.mark.parametrize("name", ["TinyResNet", "TinyResNet_v2"])
def test_the_stem_pools_from_the_first_pixel_on_and_pads_behind(name):
    options = {"form": "slim"} if name == "TinyResNet" else {"slim": True}
    network = BACKBONES.build(name, **options)
    pool = network.max_pool if name == "TinyResNet" else network.pool1
    rows = paddle.arange(4, dtype="float32").reshape([1, 1, 4, 1]).expand([1, 1, 4, 4])
    # Windows of three rows: 0 to 2, and 2 to 3 with one behind the end, which is no maximum.
    assert pool(rows - 9)[0, 0, :, 0].tolist() == [-7, -6]


def test_a_stage_of_resnet_v1_ends_with_the_stride_and_its_shortcut_skips_pixels():
    network = ResNet("50", form="slim")
    strides = [block.conv1.conv._stride for block in network.blocks]
    assert [number for number, stride in enumerate(strides) if stride == [2, 2]] == [2, 6, 12]
    shortcut = network.blocks[2].short
    pixels = paddle.arange(16, dtype="float32").reshape([1, 1, 4, 4])
    assert shortcut(pixels).flatten().tolist() == [0, 2, 8, 10]
    assert network.map_strides == (8, 16, 32, 32)


def test_the_convolutions_of_vgg_have_a_bias():
    with_bias = set(BACKBONES.build("TinyVGG", slim=True).state_dict())
    without = set(BACKBONES.build("TinyVGG").state_dict())
    biases = {f"conv_block_{n}.conv1.bias" for n in range(1, 6)}
    assert with_bias - without >= biases
    assert all(name.endswith(".bias") for name in with_bias - without)


@pytest.mark.parametrize("name", ["TinyInceptionV3", "TinyInceptionV4", "TinyVGG", "TinyAlexNet"])
def test_nothing_is_scaled_down_outside_of_training(name):
    dropouts = layers(BACKBONES.build(name, slim=True, class_num=3), nn.Dropout)
    assert dropouts
    for dropout in dropouts:
        dropout.eval()
        assert dropout(paddle.ones([1, 5])).tolist() == [[1, 1, 1, 1, 1]]


def test_the_map_of_alexnet_fits_without_averaging():
    network = BACKBONES.build("TinyAlexNet", slim=True)
    assert network.maps(paddle.randn([1, 3, 128, 128]))[-1].shape == [1, 32, 2, 2]
    assert network(paddle.randn([1, 3, 128, 128])).shape == [1, 64]
