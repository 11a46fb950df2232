import numpy as np
import paddle
import pytest

from toolkit.models.backbones.inception_blocks import (
    AvgPool,
    Branches,
    Chain,
    Conv,
    Family,
    MaxPool,
    branches,
)
from toolkit.registry import BACKBONES


def ramp(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def padded_as_tensorflow_does(x, kernel, stride, value):
    """Rows and columns so that ceil(side / stride) windows fit, the odd one at the end."""
    side = x.shape[-1]
    missing = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    border = (missing // 2, missing - missing // 2)
    return np.pad(x, ((0, 0), (0, 0), border, border), constant_values=value)


def windows(x, kernel, stride):
    """All squares of a map, [b, c, rows, columns, kernel, kernel]."""
    squares = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))
    return squares[:, :, ::stride, ::stride]


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (3, 1)])
def test_same_pooling_is_tensorflow_s(side, kernel, stride):
    x = -ramp(1, 2, side, side)
    layer, channels = MaxPool("pool", kernel, stride, padding="SAME").build(2, Family())
    padded = padded_as_tensorflow_does(x, kernel, stride, -np.inf)
    expected = windows(padded, kernel, stride).max(axis=(4, 5))
    np.testing.assert_array_equal(layer(paddle.to_tensor(x)).numpy(), expected)
    assert channels == 2


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (3, 1)])
def test_same_convolution_is_tensorflow_s(side, kernel, stride):
    x = ramp(1, 1, side, side)
    layer, _ = Conv("conv", 1, kernel, stride).build(1, Family(norm=None))
    weight = np.random.default_rng(0).standard_normal((1, 1, kernel, kernel)).astype(np.float32)
    layer.conv.weight.set_value(weight)
    expected = windows(padded_as_tensorflow_does(x, kernel, stride, 0), kernel, stride)
    expected = (expected * weight[0, 0]).sum(axis=(4, 5))
    given = layer(paddle.to_tensor(x)).numpy()
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-4)


def test_averages_count_the_border_or_leave_it_out():
    ones = paddle.ones([1, 1, 4, 4])
    inside, _ = AvgPool("pool").build(1, Family())
    assert inside(ones).numpy() == pytest.approx(np.ones((1, 1, 4, 4)))
    whole, _ = AvgPool("pool").build(1, Family(counts_padding=True))
    # A corner sees 4 of 9 pixels, an edge 6.
    assert whole(ones).numpy()[0, 0, 0] == pytest.approx([4 / 9, 6 / 9, 6 / 9, 4 / 9])


def test_a_convolution_has_the_names_the_width_and_the_norm_of_its_family():
    family = Family(0.5, conv="_conv", norm="_batch_norm", epsilon=0.25)
    unit, channels = Conv("unit", 6, (1, 3)).build(2, family)
    assert channels == 3
    shapes = {name: value.shape for name, value in unit.state_dict().items()}
    assert shapes["_conv.weight"] == [3, 2, 1, 3]
    assert shapes["_batch_norm._mean"] == [3]
    assert len(shapes) == 5
    unit.eval()
    unit._conv.weight.set_value(paddle.ones([3, 2, 1, 3]))
    x = paddle.to_tensor(np.array([[[[1.0]], [[2.0]]]], dtype=np.float32))
    # A sum of 3, mean 0 and variance 1: divided by the root of 1 + 0.25.
    assert unit(x).flatten().tolist() == pytest.approx([3 / 1.25**0.5] * 3)
    assert unit(-x).flatten().tolist() == [0, 0, 0]


def test_no_width_is_scaled_to_nothing():
    assert Family(0.01).width(32) == 1
    assert Family(0.0625).width(80) == 5


def test_rows_work_side_by_side_and_the_last_pair_on_the_same_input():
    family = Family(norm=None)
    rows = ((Conv("a", 1), (Conv("b", 1), Conv("c", 1))), (Conv("d", 1),))
    module = Branches(1, rows, family)
    assert module.out_channels == 3
    for name, factor in (("a", 2.0), ("b", 3.0), ("c", 5.0), ("d", -7.0)):
        getattr(module, name).conv.weight.set_value(paddle.full([1, 1, 1, 1], factor))
    one = paddle.ones([1, 1, 1, 1])
    assert module(one).flatten().tolist() == [6, 10, -7]
    acting = Branches(1, rows, family, act=True)
    acting.set_state_dict(module.state_dict())
    assert acting(one).flatten().tolist() == [6, 10, 0]


def test_branches_are_children_with_tf_slim_s_names():
    rows = branches((Conv("x", 2), Conv("y", 3)), (MaxPool("p", 3, 1, padding="SAME"),))
    module = Branches(4, rows, Family())
    assert module.out_channels == 3 + 4
    assert [name for name, _ in module.named_children()] == ["Branch_0", "Branch_1", "act"]
    assert module.state_dict()["Branch_0.y.conv.weight"].shape == [3, 2, 1, 1]


def test_a_chain_feeds_each_layer_with_the_one_before():
    chain, channels = Chain("c", (Conv("x", 2), Conv("y", 3))).build(1, Family())
    assert channels == 3
    assert chain.state_dict()["y.conv.weight"].shape == [3, 2, 1, 1]


# PaddleClas multiplies by 1 - dropout when not training, TensorFlow does not.
@pytest.mark.parametrize(
    ("name", "classifier", "kept"),
    [
        ("TinyGoogLeNet", "_fc_out", 0.6),
        ("TinyInceptionV1", "Logits", 1.0),
        ("TinyInceptionV2", "Logits", 1.0),
        ("TinyInceptionV3", "fc", 0.8),
        ("TinyInceptionV4", "out", 0.8),
        ("TinyInceptionResNetV2", "Logits", 1.0),
    ],
)
def test_logits_come_from_the_average_after_dropout(name, classifier, kept):
    network = BACKBONES.build(name, class_num=3)
    network.eval()
    last = paddle.randn([2, network.map_channels[-1], 2, 3])
    average = last.mean(axis=[2, 3])
    expected = getattr(network, classifier)(kept * average).numpy()
    np.testing.assert_allclose(network.feature(last).numpy(), expected, rtol=1e-4, atol=1e-5)
    plain = BACKBONES.build(name)
    np.testing.assert_allclose(plain.feature(last).numpy(), average.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("TinyGoogLeNet", ["_ince3b", "_ince4e", "_ince5b"]),
        ("TinyInceptionV1", ["Mixed_3c", "Mixed_4f", "Mixed_5c"]),
        ("TinyInceptionV2", ["Mixed_3c", "Mixed_4e", "Mixed_5c"]),
        ("TinyInceptionV3", [f"inception_block_list.{number}" for number in (2, 7, 10)]),
        ("TinyInceptionV4", ["_inceptionA_4", "_inceptionB_7", "_inceptionC_3"]),
        ("TinyInceptionResNetV2", ["Repeat", "Repeat_1", "Conv2d_7b_1x1"]),
    ],
)
def test_maps_are_the_last_outputs_before_each_halving(name, ends):
    network = BACKBONES.build(name)
    network.eval()
    layers, seen = dict(network.named_sublayers()), []
    for end in ends:
        layers[end].register_forward_post_hook(lambda *call: seen.append(call[2]))
    side = max(32, network.smallest_side)
    maps = network.maps(paddle.randn([1, 3, side, side]))
    assert len(maps) == len(seen) == 3
    for given, expected in zip(maps, seen, strict=True):
        assert bool((given == expected).all())
