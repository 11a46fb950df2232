import numpy as np
import paddle
import pytest

from toolkit.models import heads, necks
from toolkit.models.backbones.pplcnet import PPLCNet
from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
from toolkit.models.backbones.small_resnet import SmallResNet
from toolkit.models.recognizer import Recognizer


@pytest.fixture
def images():
    paddle.seed(0)
    return paddle.randn([4, 3, 16, 16])


def small(neck=None, head=None):
    return Recognizer(SmallResNet(widths=[4, 8], stage_strides=[1, 2]), neck, head)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        (
            "PP-ShiTu V1",
            lambda: Recognizer(PPLCNet(2.5), necks.FC(1280, 512), heads.ArcMargin(512, 7)),
        ),
        (
            "PP-ShiTu V2",
            lambda: Recognizer(
                PPLCNetV2(class_expand=512, retrieval=True),
                necks.BNNeck(512),
                heads.FC(512, 7, bias=False),
            ),
        ),
    ],
)
def test_state_has_the_names_of_official_recognition_models(name, build, state_names):
    ours = {key: list(value.shape) for key, value in build().state_dict().items()}
    assert ours == {k: v for k, v in state_names[name].items() if not k.startswith("backbone.fc.")}


def test_outputs_are_what_losses_read(images):
    network = small(necks.FC(8, 6), heads.FC(6, 5))
    outputs = network(images)
    assert {name: value.shape for name, value in outputs.items()} == {
        "backbone": [4, 8],
        "features": [4, 6],
        "logits": [4, 5],
    }
    assert network.out_features == 6


def test_without_a_neck_the_backbone_s_feature_is_the_embedding(images):
    network = small()
    network.eval()
    outputs = network(images)
    assert set(outputs) == {"backbone", "features"}
    assert network.out_features == 8
    np.testing.assert_array_equal(outputs["features"].numpy(), outputs["backbone"].numpy())
    np.testing.assert_array_equal(network.embed(images).numpy(), outputs["features"].numpy())


def test_embed_is_the_neck_s_output_and_needs_no_head(images):
    network = small(necks.BNNeck(8), heads.ArcMargin(8, 5))
    network.eval()
    expected = network(images)["features"].numpy()
    network.head = None
    np.testing.assert_array_equal(network.embed(images).numpy(), expected)


def test_labels_reach_a_head_with_a_margin(images):
    network = small(head=heads.ArcMargin(8, 5, margin=0.5, scale=10.0))
    labels = paddle.to_tensor([0, 1, 2, 3])
    with_margin, plain = network(images, labels)["logits"], network(images)["logits"]
    true = np.arange(4), labels.numpy()
    assert (with_margin.numpy()[true] < 10.0 * plain.numpy()[true]).all()


def test_re_parameterising_keeps_the_embedding(conformance):
    network = Recognizer(PPLCNetV2(class_expand=32, retrieval=True), necks.BNNeck(32))
    conformance.fill(network)
    network.eval()
    images = paddle.to_tensor(conformance.seeded_images())
    before = network.embed(images).numpy()
    network.re_parameterize()
    after = network.embed(images).numpy()
    assert not np.array_equal(before, after)
    assert np.abs(after - before).max() / np.abs(before).max() < 1e-5


def test_re_parameterising_a_network_with_nothing_to_fuse_changes_nothing(images):
    network = small()
    network.eval()
    before = network.embed(images).numpy()
    network.re_parameterize()
    np.testing.assert_array_equal(network.embed(images).numpy(), before)
