import paddle
import pytest

from toolkit.registry import BACKBONES


@pytest.mark.parametrize(("line", "side"), [("", 64), (" 75 pixels", 75)])
def test_equals_tf_slim_on_the_same_weights(distance_to_golden, line, side):
    # Padding differs between even and odd maps.
    network = BACKBONES.build("TinyInceptionV1")
    assert distance_to_golden(network, f"TinyInceptionV1{line}", side=side) < 1e-5


def test_maps_are_a_stride_s_part_of_any_side_rounded_up():
    network = BACKBONES.build("TinyInceptionV1")
    network.eval()
    assert [one.shape[2:] for one in network.maps(paddle.randn([1, 3, 65, 75]))] == [
        [9, 10],
        [5, 5],
        [3, 3],
    ]


@pytest.mark.slow
def test_size_is_tf_slim_s():
    # The number in tf-slim's own test of its network; its norms have no gain.
    state = BACKBONES.build("InceptionV1").state_dict()
    assert sum(v.size for name, v in state.items() if not name.endswith("bn.weight")) == 5607184
