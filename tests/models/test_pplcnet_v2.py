import numpy as np
import paddle
import pytest

from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
from toolkit.registry import BACKBONES


def randomise(backbone, conformance):
    conformance.fill(backbone)
    backbone.eval()
    return backbone


@pytest.mark.parametrize("name", ["PPLCNetV2_base", "PPLCNetV2_base_ShiTu"])
def test_parameters_are_paddleclas_s_without_the_classifier(name, state_names):
    backbone = BACKBONES.build(name)
    ours = {key: list(value.shape) for key, value in backbone.state_dict().items()}
    theirs = state_names[name]
    assert ours == {k: v for k, v in theirs.items() if not k.startswith(backbone.ignored_weights)}


def test_number_of_parameters_is_the_published_one():
    # 6.6 million are published for the deployed form: one fused convolution, no branches.
    backbone = PPLCNetV2()
    deployed = sum(
        parameter.size
        for name, parameter in backbone.named_parameters()
        if "dw_conv_list" not in name and not name.endswith(("_mean", "_variance"))
    )
    assert (deployed + 1281 * 1000) / 1e6 == pytest.approx(6.6, abs=0.05)


def test_equals_paddleclas_on_the_same_weights_fused_or_not(golden, conformance):
    backbone = randomise(PPLCNetV2(retrieval=True, class_expand=512), conformance)
    images = paddle.to_tensor(conformance.seeded_images())
    expected = golden["PPLCNetV2_base_ShiTu"]
    largest = np.abs(expected).max()
    assert np.abs(backbone(images).numpy() - expected).max() / largest < 1e-5
    backbone.re_parameterize()
    expected = golden["PPLCNetV2_base_ShiTu fused"]
    assert np.abs(backbone(images).numpy() - expected).max() / largest < 1e-5


@pytest.mark.parametrize(
    ("end", "options"),
    [("", {}), (" logits", {"class_num": 7}), (" hardswish", {"act": "hardswish"})],
)
def test_the_tiny_size_equals_paddleclas(end, options, golden, conformance):
    backbone = randomise(BACKBONES.build("TinyPPLCNetV2", **options), conformance)
    images = paddle.to_tensor(conformance.seeded_images())
    expected = golden[f"TinyPPLCNetV2{end}"]
    assert np.abs(backbone(images).numpy() - expected).max() / np.abs(expected).max() < 1e-5
    if not end:
        backbone.re_parameterize()
        expected = golden["TinyPPLCNetV2 fused"]
        assert np.abs(backbone(images).numpy() - expected).max() / np.abs(expected).max() < 1e-5


# Channels of the stages by hand: multiples of 128 to 1024 times the scale.
@pytest.mark.parametrize(
    ("name", "channels", "depths"),
    [
        ("PPLCNetV2_small", (96, 192, 384, 768), (2, 2, 4, 2)),
        ("PPLCNetV2_base", (128, 256, 512, 1024), (2, 2, 6, 2)),
        ("PPLCNetV2_large", (160, 320, 640, 1280), (2, 2, 8, 2)),
    ],
)
def test_the_sizes_differ_in_width_and_depth(name, channels, depths):
    backbone = BACKBONES.build(name)
    assert backbone.map_channels == channels
    assert tuple(len(stage) for stage in backbone.stages) == depths
    assert backbone.out_features == 1280


def test_there_are_four_depths():
    with pytest.raises(ValueError, match=r"depths needs 4 numbers.*got 2: \[1, 2\]"):
        PPLCNetV2(depths=[1, 2])


@pytest.mark.parametrize("retrieval", [False, True])
def test_fusing_the_branches_keeps_the_features(retrieval, conformance):
    backbone = randomise(PPLCNetV2(retrieval=retrieval, class_expand=64), conformance)
    images = paddle.to_tensor(conformance.seeded_images())
    before = backbone(images).numpy()
    backbone.re_parameterize()
    after = backbone(images).numpy()
    assert not np.array_equal(before, after)  # the fused path did run
    assert np.abs(after - before).max() / np.abs(before).max() < 1e-5
    backbone.re_parameterize()
    np.testing.assert_array_equal(backbone(images).numpy(), after)


def test_a_fused_network_refuses_to_train():
    backbone = PPLCNetV2(class_expand=16)
    backbone.re_parameterize()
    backbone.train()
    with pytest.raises(RuntimeError, match="cannot be trained"):
        backbone(paddle.randn([1, 3, 32, 32]))


def test_the_fused_convolution_is_no_parameter_to_train():
    frozen = [n for n, p in PPLCNetV2().named_parameters() if p.stop_gradient]
    fused = {name for name in frozen if not name.endswith(("_mean", "_variance"))}
    assert len(fused) == 2 * 8  # kernel and bias of six blocks in stage 2 and two in stage 3
    assert all(name.endswith(("dw_conv.weight", "dw_conv.bias")) for name in fused)


@pytest.mark.parametrize(("retrieval", "side"), [(False, 7), (True, 14)])
def test_the_retrieval_form_keeps_the_resolution_of_its_last_stage(retrieval, side):
    backbone = PPLCNetV2(retrieval=retrieval, class_expand=16)
    backbone.eval()
    sizes = []
    backbone.stages[3].register_forward_post_hook(lambda *call: sizes.append(call[2].shape))
    with paddle.no_grad():
        backbone(paddle.randn([1, 3, 224, 224]))
    assert sizes == [[1, 1024, side, side]]


def test_the_retrieval_form_has_signed_features(conformance):
    images = paddle.to_tensor(conformance.seeded_images())
    lowest = {
        retrieval: float(
            randomise(PPLCNetV2(retrieval=retrieval, class_expand=64), conformance)(images).min()
        )
        for retrieval in (False, True)
    }
    assert lowest[False] == 0.0
    assert lowest[True] < 0.0


def test_without_the_last_convolution_the_feature_is_the_pooled_map():
    backbone = PPLCNetV2(retrieval=True, use_last_conv=False)
    backbone.eval()
    assert backbone.out_features == 1024
    assert backbone(paddle.randn([1, 3, 32, 32])).shape == [1, 1024]
