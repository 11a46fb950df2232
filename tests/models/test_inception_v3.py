import paddle
import pytest

from toolkit.registry import BACKBONES

# Sides of square maps and full channels that EasyVision documents for an image of 299 pixels.
STEM = {
    "conv_1a_3x3": (149, 32),
    "conv_2a_3x3": (147, 32),
    "conv_2b_3x3": (147, 64),
    "max_pool_3a_3x3": (73, 64),
    "conv_3b_1x1": (73, 80),
    "conv_4a_3x3": (71, 192),
    "max_pool_5a_3x3": (35, 192),
}
BLOCKS = [(35, 256), (35, 288), (35, 288), *[(17, 768)] * 5, (8, 1280), (8, 2048), (8, 2048)]
ENDPOINTS = {
    **{f"inception_stem.{name}": shape for name, shape in STEM.items()},
    **{f"inception_block_list.{number}": shape for number, shape in enumerate(BLOCKS)},
    "avg_pool": (1, 2048),
}


@pytest.mark.parametrize(("line", "side"), [("", 107), (" 98 pixels", 98)])
def test_equals_paddleclas_on_the_same_weights(distance_to_golden, line, side):
    network = BACKBONES.build("TinyInceptionV3")
    assert distance_to_golden(network, f"TinyInceptionV3{line}", side=side) < 1e-5


def test_every_documented_endpoint_is_the_output_of_a_layer(map_sizes):
    network = BACKBONES.build("TinyInceptionV3")
    sizes = map_sizes(network, paddle.randn([1, 3, 299, 299]))
    expected = {name: [channels // 16, side, side] for name, (side, channels) in ENDPOINTS.items()}
    assert {name: list(sizes[name]) for name in ENDPOINTS} == expected
