"""What holds for every backbone, whoever wrote it: tested on the tiny member of each family."""

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES, NECKS

TINY = [name for name in BACKBONES.names() if name.startswith("Tiny") or name == "SmallResNet"]
WITH_CLASSIFIER = [
    name for name in TINY if "class_num" in {option.name for option in BACKBONES.options(name)}
]


@pytest.fixture(params=TINY)
def backbone(request):
    paddle.seed(0)
    return BACKBONES.build(request.param)


def images(backbone, number, times=1):
    paddle.seed(1)
    side = times * max(32, backbone.smallest_side)
    return paddle.randn([number, 3, side, side])


def test_every_family_has_a_tiny_member():
    tested = {BACKBONES.location(name) for name in TINY}
    assert {BACKBONES.location(name) for name in BACKBONES.names()} == tested


def test_maps_images_to_features_of_the_promised_length(backbone):
    backbone.eval()
    features = backbone(images(backbone, 2, times=2))
    assert features.shape == [2, backbone.out_features]
    assert features.dtype == paddle.float32


def test_tells_two_images_apart(backbone):
    backbone.eval()
    first, second = backbone(images(backbone, 2, times=2)).numpy()
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()


def test_maps_have_the_promised_channels_and_strides(backbone):
    backbone.eval()
    given = images(backbone, 1, times=2)
    maps = backbone.maps(given)
    assert [one.shape[1] for one in maps] == list(backbone.map_channels)
    for one, stride in zip(maps, backbone.map_strides, strict=True):
        # Families without padding lose a border on the way.
        assert given.shape[2] / stride == pytest.approx(one.shape[2], abs=4)
        assert one.shape[2] == one.shape[3]
    assert list(backbone.map_strides) == sorted(backbone.map_strides)


@pytest.mark.parametrize("name", ["FPN", "GeM"])
def test_necks_read_its_maps(backbone, name):
    if NECKS.get(name).reads == "maps":
        widths = {"in_channels": [*backbone.map_channels], "out_channels": 8}
    else:
        widths = {"in_features": backbone.map_channels[-1]}
    neck = NECKS.build(name, **widths, embedding_size=12)
    network = Recognizer(backbone, neck)
    network.eval()
    # A side that no stride divides.
    side = 2 * max(32, backbone.smallest_side) + 9
    embeddings = network.embed(paddle.randn([2, 3, side, side]))
    assert embeddings.shape == [2, 12]
    first, second = embeddings.numpy()
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()
    (embeddings * paddle.randn([2, 12])).sum().backward()
    for parameter in neck.parameters():
        assert bool(paddle.isfinite(parameter.grad).all())
        assert float(parameter.grad.abs().max()) > 0


def test_every_trainable_parameter_gets_a_finite_gradient(backbone):
    backbone.train()
    features = backbone(images(backbone, 2))
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
    backbone.eval()
    other.eval()
    given = images(backbone, 1)
    np.testing.assert_array_equal(backbone(given).numpy(), other(given).numpy())


def test_features_of_an_image_do_not_depend_on_its_batch(backbone):
    backbone.eval()
    given = images(backbone, 3)
    together, alone = backbone(given).numpy(), backbone(given[1:2]).numpy()
    np.testing.assert_allclose(together[1:2], alone, rtol=1e-4, atol=1e-5 * np.abs(alone).max())


def test_an_image_that_is_too_small_is_refused(backbone):
    backbone.eval()
    side = backbone.smallest_side
    assert bool(paddle.isfinite(backbone(paddle.ones([1, 3, side, side]))).all())
    if side > 1:
        wanted = rf"{side - 1} x {side} pixels are too small for .*: each side needs {side} or more"
        with pytest.raises(ConfigError, match=wanted):
            backbone.maps(paddle.ones([1, 3, side - 1, side]))


def test_names_prefixes_of_official_files_that_are_not_its_own(backbone):
    assert backbone.ignored_weights == backbone.classifier
    own = backbone.state_dict()
    assert not any(name.startswith(backbone.ignored_weights or ("\0",)) for name in own)


@pytest.mark.parametrize("name", WITH_CLASSIFIER)
def test_class_num_keeps_the_classifier_of_official_files(name):
    plain, whole = BACKBONES.build(name), BACKBONES.build(name, class_num=7)
    added = set(whole.state_dict()) - set(plain.state_dict())
    assert added
    assert all(key.startswith(whole.classifier) for key in added)
    # GoogLeNet has auxiliary classifiers, which even the whole network leaves out.
    own = whole.state_dict()
    assert not any(key.startswith(whole.ignored_weights or ("\0",)) for key in own)
    whole.eval()
    assert whole(images(whole, 1)).shape == [1, 7]
    assert whole.out_features == 7


def test_a_bad_option_names_the_backbone():
    with pytest.raises(ConfigError, match=r"PPLCNet_x0_25.*stride_list needs 5 numbers.*\[2, 2\]"):
        BACKBONES.build("PPLCNet_x0_25", stride_list=[2, 2])
    with pytest.raises(ConfigError, match=r"PPLCNet_x0_25.*activation must be one of.*'swish'"):
        BACKBONES.build("PPLCNet_x0_25", act="swish")
