import pytest

from toolkit.registry import BACKBONES


@pytest.mark.parametrize(("line", "side"), [("", 64), (" 75 pixels", 75)])
def test_equals_tf_slim_on_the_same_weights(distance_to_golden, line, side):
    # Padding differs between even and odd maps.
    network = BACKBONES.build("TinyInceptionV2")
    assert distance_to_golden(network, f"TinyInceptionV2{line}", side=side) < 1e-5


def test_the_first_convolution_has_eight_kernels_a_colour_at_full_width():
    state = BACKBONES.build("InceptionV2", scale=0.5).state_dict()
    assert state["Conv2d_1a_7x7.depthwise.weight"].shape == [24, 1, 7, 7]
    assert state["Conv2d_1a_7x7.pointwise.weight"].shape == [32, 24, 1, 1]
    assert state["Conv2d_1a_7x7.pointwise.bias"].shape == [32]


@pytest.mark.slow
def test_size_is_tf_slim_s():
    # The number in tf-slim's own test of its network; its norms have no gain.
    state = BACKBONES.build("InceptionV2").state_dict()
    assert sum(v.size for name, v in state.items() if not name.endswith("bn.weight")) == 10173112
