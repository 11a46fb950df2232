"""What holds for every backbone, whoever wrote it."""

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.registry import BACKBONES


@pytest.fixture(params=BACKBONES.names())
def backbone(request):
    paddle.seed(0)
    return BACKBONES.build(request.param)


def test_maps_images_to_features_of_the_promised_length(backbone):
    backbone.eval()
    features = backbone(paddle.randn([2, 3, 64, 64]))
    assert features.shape == [2, backbone.out_features]
    assert features.dtype == paddle.float32


def test_every_trainable_parameter_gets_a_finite_gradient(backbone):
    backbone.train()
    features = backbone(paddle.randn([2, 3, 32, 32]))
    (features * paddle.randn(features.shape)).sum().backward()
    for name, parameter in backbone.named_parameters():
        if not parameter.stop_gradient:
            assert parameter.grad is not None, name
            assert bool(paddle.isfinite(parameter.grad).all()), name


def test_state_survives_a_round_trip(backbone, request):
    other = BACKBONES.build(request.node.callspec.params["backbone"])
    missing, unexpected = other.set_state_dict(
        {name: value.numpy() for name, value in backbone.state_dict().items()}
    )
    assert (missing, unexpected) == ([], [])
    images = paddle.randn([1, 3, 32, 32])
    backbone.eval()
    other.eval()
    np.testing.assert_array_equal(backbone(images).numpy(), other(images).numpy())


def test_features_of_an_image_do_not_depend_on_its_batch(backbone):
    backbone.eval()
    images = paddle.randn([3, 3, 32, 32])
    together, alone = backbone(images), backbone(images[1:2])
    np.testing.assert_allclose(together[1:2].numpy(), alone.numpy(), rtol=1e-4, atol=1e-5)


def test_names_prefixes_of_official_files_that_are_not_its_own(backbone):
    assert isinstance(backbone.ignored_weights, tuple)
    own = backbone.state_dict()
    assert not any(name.startswith(backbone.ignored_weights) for name in own)


def test_a_bad_option_names_the_backbone():
    with pytest.raises(ConfigError, match=r"PPLCNet_x0_25.*stride_list needs 5 numbers.*\[2, 2\]"):
        BACKBONES.build("PPLCNet_x0_25", stride_list=[2, 2])
    with pytest.raises(ConfigError, match=r"PPLCNet_x0_25.*activation must be one of.*'swish'"):
        BACKBONES.build("PPLCNet_x0_25", act="swish")
