import paddle

from toolkit.registry import BACKBONES

# Sides of square maps and full channels that EasyVision documents for an image of 299 pixels.
STEM = {
    "_conv_1": (149, 32),
    "_conv_2": (147, 32),
    "_conv_3": (147, 64),
    "mixed_3a": (73, 160),
    "mixed_4a": (71, 192),
    "mixed_5a": (35, 384),
}
ENDPOINTS = {
    **{f"_inception_stem.{name}": shape for name, shape in STEM.items()},
    **{f"_inceptionA_{number}": (35, 384) for number in range(1, 5)},
    "_reductionA": (17, 1024),
    **{f"_inceptionB_{number}": (17, 1024) for number in range(1, 8)},
    "_reductionB": (8, 1536),
    **{f"_inceptionC_{number}": (8, 1536) for number in range(1, 4)},
    "avg_pool": (1, 1536),
}


def test_equals_paddleclas_on_the_same_weights(distance_to_golden):
    network = BACKBONES.build("TinyInceptionV4")
    assert distance_to_golden(network, "TinyInceptionV4", side=107) < 1e-5


def test_logits_equal_paddleclas_s_on_even_maps(distance_to_golden):
    network = BACKBONES.build("TinyInceptionV4", class_num=10)
    assert distance_to_golden(network, "TinyInceptionV4 98 pixels logits", side=98) < 1e-5


def test_every_documented_endpoint_is_the_output_of_a_layer(map_sizes):
    network = BACKBONES.build("TinyInceptionV4")
    sizes = map_sizes(network, paddle.randn([1, 3, 299, 299]))
    expected = {name: [channels // 16, side, side] for name, (side, channels) in ENDPOINTS.items()}
    assert {name: list(sizes[name]) for name in ENDPOINTS} == expected
