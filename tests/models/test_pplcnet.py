import numpy as np
import paddle
import pytest

from toolkit.models.backbones.blocks import round_channels
from toolkit.models.backbones.pplcnet import PPLCNet
from toolkit.registry import BACKBONES

# Million parameters with the classifier of 1000 classes, from PaddleClas's table of models.
MILLIONS = {
    "PPLCNet_x0_25": 1.52,
    "PPLCNet_x0_35": 1.64,
    "PPLCNet_x0_5": 1.88,
    "PPLCNet_x0_75": 2.36,
    "PPLCNet_x1_0": 2.95,
    "PPLCNet_x1_5": 4.50,
    "PPLCNet_x2_0": 6.52,
    "PPLCNet_x2_5": 9.02,
}


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_are_paddleclas_s_without_the_classifier(name, state_names):
    backbone = BACKBONES.build(name)
    ours = {key: list(value.shape) for key, value in backbone.state_dict().items()}
    theirs = state_names[name]
    assert ours == {k: v for k, v in theirs.items() if not k.startswith(backbone.ignored_weights)}


@pytest.mark.parametrize("name", MILLIONS)
def test_number_of_parameters_is_the_published_one(name):
    backbone = BACKBONES.build(name)
    trained = sum(p.size for p in backbone.parameters() if not p.stop_gradient)
    classifier = (backbone.out_features + 1) * 1000
    assert round((trained + classifier) / 1e6, 2) == MILLIONS[name]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("TinyPPLCNet", {}),
        ("TinyPPLCNet logits", {"class_num": 7}),
        ("TinyPPLCNet tanh", {"class_num": 7, "tanh": True}),
    ],
)
def test_equals_paddleclas_on_the_same_weights(name, options, distance_to_golden):
    assert distance_to_golden(BACKBONES.build("TinyPPLCNet", **options), name) <= 1e-5


def test_the_tanh_form_ends_with_the_tangent_of_the_classifier_under_official_names():
    backbone = BACKBONES.build("PPLCNet_x2_5_Tanh", class_num=48)
    assert backbone.out_features == 48
    ends = {name for name in backbone.state_dict() if name.startswith("fc.")}
    assert ends == {"fc.origin_layer.weight", "fc.origin_layer.bias"}
    assert backbone.ignored_weights == ()
    bare = BACKBONES.build("TinyPPLCNet", tanh=True)
    bare.eval()
    assert float(bare(100 * paddle.randn([2, 3, 32, 32])).abs().max()) <= 1.0
    assert bare.ignored_weights == ("fc.",)


def test_dropout_scales_features_when_not_training():
    # Official weights were trained with masks that are not rescaled, so every feature of a
    # network with dropout 0.2 is 0.8 times that of one without.
    with_dropout, without = PPLCNet(0.25, dropout_prob=0.2), PPLCNet(0.25, dropout_prob=0.0)
    without.set_state_dict(with_dropout.state_dict())
    with_dropout.eval()
    without.eval()
    images = paddle.randn([1, 3, 32, 32])
    np.testing.assert_allclose(
        with_dropout(images).numpy(), 0.8 * without(images).numpy(), rtol=1e-5, atol=1e-7
    )


def test_options_change_what_they_say():
    assert PPLCNet(0.25, class_expand=96).out_features == 96
    pooled = PPLCNet(0.25, use_last_conv=False)
    assert pooled.out_features == 128  # 512 channels at a quarter of the width
    assert not any(name.startswith("last_conv") for name in pooled.state_dict())
    pooled.eval()
    assert pooled(paddle.randn([1, 3, 32, 32])).shape == [1, 128]
    assert type(PPLCNet(0.25, act="relu6").conv1.act) is paddle.nn.ReLU6


def test_strides_of_one_network_leave_the_next_one_alone():
    # PaddleClas writes stride_list into a table that all later networks read.
    def side_of_last_map(backbone):
        backbone.eval()
        sizes = []
        backbone.blocks6.register_forward_post_hook(lambda *call: sizes.append(call[2].shape[2:]))
        backbone(paddle.randn([1, 3, 64, 64]))
        return sizes[0]

    assert side_of_last_map(PPLCNet(0.25, stride_list=[2, 2, 2, 1, 1])) == [8, 8]
    assert side_of_last_map(PPLCNet(0.25)) == [2, 2]


@pytest.mark.parametrize(
    ("channels", "expected"),
    # By hand: nearest multiple of 8; never below 8; 10 -> 8 would lose a fifth, so 16.
    [(4, 8), (8, 8), (10, 16), (11.2, 16), (12, 16), (40, 40), (44.8, 48), (179.2, 176)],
)
def test_channels_are_rounded_to_eights(channels, expected):
    assert round_channels(channels) == expected
