import numpy as np
import paddle
import pytest

from toolkit.models import heads, necks
from toolkit.models.backbones.pplcnet import PPLCNet
from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
from toolkit.models.backbones.small_resnet import SmallResNet
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES


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
    assert set(network.outputs) == set(outputs)


def test_without_a_neck_the_backbone_s_feature_is_the_embedding(images):
    network = small()
    network.eval()
    outputs = network(images)
    assert set(outputs) == {"backbone", "features"} == set(network.outputs)
    assert network.out_features == 8
    np.testing.assert_array_equal(outputs["features"].numpy(), outputs["backbone"].numpy())
    np.testing.assert_array_equal(network.embed(images).numpy(), outputs["features"].numpy())


def test_embed_is_the_neck_s_output_and_needs_no_head(images):
    network = small(necks.BNNeck(8), heads.ArcMargin(8, 5))
    network.eval()
    expected = network(images)["features"].numpy()
    network.head = None
    np.testing.assert_array_equal(network.embed(images).numpy(), expected)


MAP_NECKS = {
    "GeM": lambda: necks.GeM(8),
    "GeM with a linear layer": lambda: necks.GeM(8, embedding_size=6),
    "FPN": lambda: necks.FPN([4, 8], out_channels=5, embedding_size=6),
}


@pytest.mark.parametrize("name", MAP_NECKS)
def test_a_neck_can_read_the_maps_of_one_run_of_the_backbone(images, name):
    network = small(MAP_NECKS[name](), heads.FC(MAP_NECKS[name]().out_features, 5))
    network.eval()
    runs = []
    network.backbone.stem.register_forward_post_hook(lambda *call: runs.append(call[0]))
    outputs = network(images)
    assert len(runs) == 1
    maps = network.backbone.maps(images)
    read = maps if name == "FPN" else maps[-1]
    np.testing.assert_array_equal(outputs["features"].numpy(), network.neck(read).numpy())
    np.testing.assert_array_equal(network.embed(images).numpy(), outputs["features"].numpy())
    assert outputs["logits"].shape == [4, 5]
    assert len(runs) == 3
    # SmallResNet's own feature is the mean of its last map.
    expected = network.backbone(images).numpy()
    np.testing.assert_allclose(outputs["backbone"].numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MAP_NECKS)
def test_a_neck_that_reads_maps_trains_the_backbone(images, name):
    network = small(MAP_NECKS[name]())
    network(images)["features"].sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.stop_gradient or parameter.grad is not None, key


def test_labels_reach_a_head_with_a_margin(images):
    network = small(head=heads.ArcMargin(8, 5, margin=0.5, scale=10.0))
    labels = paddle.to_tensor([0, 1, 2, 3])
    with_margin, plain = network(images, labels)["logits"], network(images)["logits"]
    true = np.arange(4), labels.numpy()
    assert (with_margin.numpy()[true] < 10.0 * plain.numpy()[true]).all()


@pytest.mark.parametrize(
    "build",
    [
        lambda: necks.BNNeck(64),
        lambda: necks.GeM(128),
        lambda: necks.FPN([16, 32, 64, 128], out_channels=8, embedding_size=16),
    ],
    ids=["BNNeck", "GeM", "FPN"],
)
def test_re_parameterising_keeps_the_embedding(build, conformance):
    network = Recognizer(BACKBONES.build("TinyPPLCNetV2", retrieval=True), build())
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
