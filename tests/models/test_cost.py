import paddle
import pytest
from paddle import nn

from toolkit.models.backbones.transformer_blocks import Attention
from toolkit.models.cost import Cost, measure_cost
from toolkit.registry import BACKBONES


def test_counts_by_hand():
    # Convolution: 4 x 5 x 5 outputs of 3 x 3 x 3 products. Depthwise: 4 x 5 x 5 of 3 x 3.
    # Linear: 10 outputs of 100 products.
    network = nn.Sequential(
        nn.Conv2D(3, 4, 3, stride=2, padding=1),
        nn.Conv2D(4, 4, 3, padding=1, groups=4, bias_attr=False),
        nn.BatchNorm2D(4),
        nn.Flatten(),
        nn.Linear(100, 10),
    )
    cost = measure_cost(network, (10, 10))
    assert cost.multiply_adds == 100 * 27 + 100 * 9 + 10 * 100
    assert cost.parameters == (4 * 27 + 4) + 4 * 9 + (4 + 4) + (1000 + 10)


def test_a_layer_may_state_its_own():
    class Attention(nn.Layer):
        def forward(self, x):
            return x

        def multiply_adds(self, inputs, output):
            return inputs[0].size + output.size

    assert measure_cost(nn.Sequential(Attention()), (2, 3)) == Cost(0, 36)


def test_attention_counts_its_two_products_by_hand():
    # One set of 5 tokens of 6 values. Linear: 5 x 6 x 18 and 5 x 6 x 6. Every token with every
    # other one, twice: 5 x 5 x 6 products for the scores, as many for the weighted sums.
    class Tokens(nn.Layer):
        def forward(self, images):
            return images.reshape([1, 5, 6])

    network = nn.Sequential(Tokens(), Attention(6, 3))
    cost = measure_cost(network, (1, 10))
    assert cost.multiply_adds == 5 * 6 * 18 + 5 * 6 * 6 + 2 * 5 * 5 * 6


def test_windows_are_counted_one_by_one():
    # TinySwin on 32 pixels: maps of 8, 4 and 2 tokens a side, padded to 2 x 2, 1 and 1 windows of
    # 49 tokens; widths 16, 32, 64; two blocks each.
    network = BACKBONES.build("TinySwin")
    counted = []
    for layer in network.sublayers():
        if isinstance(layer, Attention):
            layer.register_forward_post_hook(
                lambda layer, inputs, output: counted.append(layer.multiply_adds(inputs, output))
            )
    measure_cost(network, (32, 32))
    stages = ((4, 16), (1, 32), (1, 64))
    expected = [windows * 2 * 49 * 49 * width for windows, width in stages for _ in range(2)]
    assert counted == expected


@pytest.mark.parametrize(
    ("options", "side", "tokens"),
    [
        ({}, 64, 16),
        ({}, 72, 25),
        ({"pooling": "class_token"}, 64, 1),
    ],
)
def test_the_projection_of_clip_counts_for_every_token_it_averages(options, side, tokens):
    network = BACKBONES.build("TinyCLIPViT", **options)
    whole = measure_cost(network, (side, side)).multiply_adds
    network.proj = network.create_parameter([32, 1])  # one value instead of 24
    assert whole - measure_cost(network, (side, side)).multiply_adds == tokens * 32 * 23


def test_a_classifier_takes_the_place_of_clip_s_projection():
    network = BACKBONES.build("TinyCLIPViT", class_num=3, pooling="class_token")
    assert network.multiply_adds((paddle.zeros([1, 3, 64, 64]),), paddle.zeros([1, 3])) == 0


# Billions in table 1 of the Swin paper, which counts attention too.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("DeiT_small_patch16_224", 4.6),
        ("DeiT_base_patch16_224", 17.5),
        ("SwinTransformer_tiny_patch4_window7_224", 4.5),
    ],
)
def test_transformers_cost_what_was_published(name, billions):
    cost = measure_cost(BACKBONES.build(name), (224, 224))
    assert cost.multiply_adds / 1e9 == pytest.approx(billions, abs=0.1)


@pytest.mark.slow
def test_agrees_with_what_others_counted():
    # PP-LCNet x2.5 stopped at its feature: 892 M multiply-adds, 7.76 M parameters; PP-ShiTuV2's
    # form of V2: 829 M once fused (counted by others with PaddleClas's networks).
    cost = measure_cost(BACKBONES.build("PPLCNet_x2_5"), (224, 224))
    assert cost.multiply_adds == pytest.approx(892e6, rel=0.005)
    assert cost.parameters == pytest.approx(7.76e6, rel=0.005)
    network = BACKBONES.build("PPLCNetV2_base_ShiTu", class_expand=512)
    network.re_parameterize()
    assert measure_cost(network, (224, 224)).multiply_adds == pytest.approx(829e6, rel=0.005)
