import paddle
import pytest

from toolkit.models.backbones.efficientnet import EfficientNet, zero_padding
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES


@pytest.mark.parametrize(
    ("name", "class_num", "side"),
    [
        ("TinyEfficientNet", 0, 64),
        ("TinyEfficientNet logits", 10, 64),
        ("TinyEfficientNet, odd maps", 0, 75),
    ],
)
def test_equals_paddleclas_on_the_same_weights(name, class_num, side, distance_to_golden):
    network = EfficientNet("smallest", class_num=class_num)
    assert distance_to_golden(network, name, side=side) < 1e-5


# torchvision's documentation of its weights: parameters with the classifier of 1000 classes.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "parameters"),
    [
        (0, 5288548),
        (1, 7794184),
        (2, 9109994),
        (3, 12233232),
        (4, 19341616),
        (5, 30389784),
        (6, 43040704),
        (7, 66347960),
    ],
)
def test_size_is_the_published_one(number, parameters):
    backbone = BACKBONES.build(f"EfficientNetB{number}", class_num=1000)
    assert measure_cost(backbone, (32, 32)).parameters == parameters


@pytest.mark.parametrize(
    ("kernel_size", "stride", "side", "expected"),
    # By hand: an output every `stride` pixels from the first on, of a window centred where the
    # sum of both paddings allows; an even side needs one zero, after the row, plus the stride.
    [
        (3, 1, 7, [1, 1]),
        (5, 1, 14, [2, 2]),
        (3, 2, 224, [0, 2]),
        (5, 2, 56, [1, 3]),
        (3, 2, 15, [1, 1]),
        (5, 2, 15, [2, 2]),
        (1, 1, 7, [0, 0]),
        (1, 2, 8, [0, 0]),
    ],
)
def test_zeros_are_laid_out_for_the_image_size_of_the_paper(kernel_size, stride, side, expected):
    assert zero_padding(kernel_size, stride, side) == expected


def test_drop_connect_leaves_out_whole_samples_more_often_further_on():
    backbone = EfficientNet("smallest", drop_connect_rate=0.9)
    rates = [layer.drop_connect.p for layer in backbone.sublayers() if hasattr(layer, "shortcut")]
    # Two blocks in each of the fourth to sixth stage, else one.
    assert rates == pytest.approx([0.9 * number / 10 for number in range(10)])
    paddle.seed(0)
    layer = next(x for x in backbone.sublayers() if getattr(x, "shortcut", False)).drop_connect
    layer.train()
    dropped = layer(paddle.ones([200, 3, 2, 2])).numpy()
    for sample in dropped:
        assert (sample == 0).all() or sample == pytest.approx(1 / (1 - layer.p))
    assert (dropped[:, 0, 0, 0] == 0).mean() == pytest.approx(layer.p, abs=0.1)


def test_dropout_is_the_papers_unless_said():
    assert EfficientNet("smallest")._drop.p == 0.2
    assert EfficientNet("smallest", dropout_prob=0.0)._drop.p == 0.0
    assert EfficientNet("smallest", dropout_prob=0.7)._drop.p == 0.7


def test_what_happens_inside_a_block_can_be_watched():
    backbone = EfficientNet("smallest")
    backbone.eval()
    seen = {}

    def watch(name, layer):
        layer.register_forward_post_hook(lambda *call: seen.update({name: call[2]}))

    first = next(layer for layer in backbone.sublayers() if hasattr(layer, "shortcut"))
    watch("stem", backbone._ef._conv_stem)
    watch("weighed", first._se)
    watch("block", first)
    watch("head", backbone._conv)
    with paddle.no_grad():
        backbone(paddle.randn([1, 3, 64, 64]))
    assert {name: value.shape for name, value in seen.items()} == {
        "stem": [1, 8, 32, 32],
        "weighed": [1, 8, 32, 32],
        "block": [1, 8, 32, 32],
        "head": [1, 320, 2, 2],
    }
    # The least value of x * sigmoid(x) is -0.2785: the stem's output is after its activation.
    assert float(seen["stem"].min()) >= -0.2785
    assert float(seen["block"].min()) < -0.2785
