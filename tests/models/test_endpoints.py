"""Endpoints: names and shapes from EasyVision's tables, values from walks by hand."""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.endpoint_tables import (
    background_first,
    chosen_class,
    endpoints_of,
    find_endpoint,
    probabilities,
)
from toolkit.models.endpoints import Endpoint, EndpointNetwork, Measure, Whole, capture
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES, NECKS

TABLES = json.loads((Path(__file__).parent / "golden" / "endpoints.json").read_text("utf-8"))
BACKBONE_OF = {
    "resnet_v1_50": ("ResNet50", 224),
    "resnet_v1_101": ("ResNet101", 224),
    "inception_v3": ("InceptionV3", 299),
    "inception_v4": ("InceptionV4", 299),
    "mobilenet_v2": ("MobileNetV2", 224),
    "efficientnet_b0": ("EfficientNetB0", 224),
}
FAST = ("mobilenet_v2", "efficientnet_b0")
OF_THE_PICTURE = ("original_image", "original_image_shape")
TINY = [name for name in BACKBONES.names() if name.startswith("Tiny") or name == "SmallResNet"]
NEEDS_224 = ("AlexNet", "VGG")


def built(name, **options):
    paddle.seed(0)
    network = Recognizer(BACKBONES.build(name, **options))
    network.eval()
    return network


def ending(network, name, pool=None, network_name="net"):
    return EndpointNetwork(network, find_endpoint(network, network_name, name), pool)


def test_the_tables_have_219_names():
    assert sum(map(len, TABLES.values())) == 219


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in FAST else pytest.mark.slow) for n in TABLES]
)
def test_every_name_has_the_shape_and_type_of_easyvision(name, batch):
    backbone, side = BACKBONE_OF[name]
    network = built(backbone, class_num=1000)
    known = endpoints_of(network, name)
    wanted = {key: row for key, row in TABLES[name].items() if key not in OF_THE_PICTURE}
    images = paddle.randn([batch, 3, side, side])
    with paddle.no_grad():
        values = capture(network, [known[key] for key in wanted], images)
    found = {
        key: [*value.shape[1:], str(value.numpy().dtype)] if value.shape[0] == batch else None
        for key, value in values.items()
    }
    assert found == wanted
    assert all(bool(paddle.isfinite(value.astype("float32")).all()) for value in values.values())


@pytest.mark.parametrize("name", [name for name in TABLES if "original_image" in TABLES[name]])
def test_the_picture_itself_has_the_shape_and_type_of_easyvision(name):
    network = built("TinyMobileNetV2")
    for key in OF_THE_PICTURE:
        measure = ending(network, key).measure((32, 32))
        assert [*measure.shape, measure.dtype] == TABLES[name][key]


@pytest.mark.parametrize("name", TINY)
def test_every_family_lists_endpoints_that_resolve(name):
    network = built(name)
    backbone = network.backbone
    side = 2 * max(32, backbone.smallest_side)
    images = paddle.randn([2, 3, side, side])
    known = [
        one
        for one in endpoints_of(network, name).values()
        if one.takes == "images" and not one.of_classifier
    ]
    with paddle.no_grad():
        values = capture(network, known, images)
        maps = backbone.maps(images)
        feature = network.embed(images)
    for number, one in enumerate(maps, start=1):
        value = values[f"stage_{number}"].numpy()
        np.testing.assert_array_equal(value, one.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(
        values["last_map"].numpy(), maps[-1].numpy().transpose(0, 2, 3, 1)
    )
    np.testing.assert_array_equal(values["feature"].numpy(), feature.numpy())
    assert all(value.shape[0] == 2 for value in values.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BACKBONES.names() if name not in TINY])
def test_every_backbone_lists_endpoints_that_resolve(name):
    network = built(name)
    side = 224 if name.startswith(NEEDS_224) else max(64, network.backbone.smallest_side)
    known = [one for one in endpoints_of(network, name).values() if not one.of_classifier]
    assert {"preprocessed_images", "stage_1", "last_map", "backbone", "feature"} <= {
        one.name for one in known
    }
    with paddle.no_grad():
        values = capture(
            network,
            [one for one in known if one.takes == "images"],
            paddle.zeros([1, 3, side, side]),
        )
    assert values["feature"].shape == [1, network.out_features]


def test_resnet_by_hand():
    network = built("TinyResNet", class_num=7)
    backbone, images = network.backbone, paddle.randn([2, 3, 64, 64])
    with paddle.no_grad():
        found = capture(network, list(endpoints_of(network, "net").values())[2:], images)
        x = backbone.stem(images)
        walked = {"net/conv1": x}
        x = backbone.max_pool(x)
        depths = iter((2, 1, 1, 1))
        stage, left = 1, next(depths)
        for block in backbone.blocks:
            x = block(x)
            left -= 1
            if left == 0:
                walked[f"net/block{stage}"] = x
                stage, left = stage + 1, next(depths, 0)
        walked["AvgPool_1a"] = x.mean([2, 3], keepdim=True)
        logits = backbone.fc(x.mean([2, 3]))
    assert set(walked) == {"net/conv1", *(f"net/block{k}" for k in (1, 2, 3, 4)), "AvgPool_1a"}
    for name, value in walked.items():
        expected = value.numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=1e-5, atol=1e-6)
    for name in ("logits", "net/spatial_squeeze"):
        np.testing.assert_allclose(found[name].numpy(), logits.numpy(), rtol=1e-4, atol=1e-4)
    assert found["net/logits"].shape == [2, 1, 1, 7]
    np.testing.assert_array_equal(found["class"].numpy(), logits.numpy().argmax(1) + 1)


def test_mobilenet_by_hand():
    network = built("TinyMobileNetV2")
    backbone, images = network.backbone, paddle.randn([1, 3, 64, 64])
    relu6 = paddle.nn.functional.relu6

    def unit(layer, x):
        return layer._batch_norm(layer._conv(x))

    walked, number, x = {}, 2, relu6(unit(backbone.conv1, images))
    walked["layer_1"] = x
    with paddle.no_grad():
        for group in ("conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "conv8"):
            for place, (_, block) in enumerate(getattr(backbone, group).named_children()):
                expanded = relu6(unit(block._expand_conv, x))
                filtered = relu6(unit(block._bottleneck_conv, expanded))
                narrow = unit(block._linear_conv, filtered)
                x = x + narrow if place else narrow
                if number > 2:
                    walked[f"layer_{number}/expansion_output"] = expanded
                walked[f"layer_{number}/depthwise_output"] = filtered
                walked[f"layer_{number}/output"] = walked[f"layer_{number}"] = x
                number += 1
        walked[f"layer_{number}"] = relu6(unit(backbone.conv9, x))
        known = endpoints_of(network, "net")
        found = capture(network, [known[name] for name in walked], images)
    assert number == 19
    for name, value in walked.items():
        np.testing.assert_array_equal(found[name].numpy(), value.numpy().transpose(0, 2, 3, 1))


def test_efficientnet_by_hand():
    network = built("TinyEfficientNet", class_num=5)
    backbone, images = network.backbone, paddle.randn([1, 3, 64, 64])
    with paddle.no_grad():
        x, walked, sides = images, {}, []
        for number, layer in enumerate(backbone._ef):
            if number == 0:
                x = layer(x)
                walked["stem"] = x
                continue
            filtered = layer._dcn(layer._ecn(x))
            gates = layer._se._conv2(layer._se._conv1(filtered.mean([2, 3], keepdim=True)))
            walked[f"block_{number - 1}/expansion_output"] = filtered * gates
            y = layer._pcn(filtered * gates)
            x = x + y if layer.shortcut else y
            walked[f"block_{number - 1}"] = x
            sides.append(x.shape[2])
        ends = [n for n in range(len(sides)) if n + 1 == len(sides) or sides[n + 1] < sides[n]]
        for stage, block in enumerate(ends, start=1):
            walked[f"reduction_{stage}"] = walked[f"block_{block}"]
            walked[f"reduction_{stage}/expansion_output"] = walked[
                f"block_{block}/expansion_output"
            ]
        walked["features"] = x
        walked["head_1x1"] = backbone._conv(x)
        known = endpoints_of(network, "net")
        own = [one for name, one in known.items() if name in walked]
        found = capture(network, [*own, known["global_pool"], known["head"]], images)
        mean = walked["head_1x1"].mean([2, 3])
        logits = backbone._fc(mean)
    assert {name for name in known if name.startswith(("block_", "reduction_"))} <= set(walked)
    for name, value in walked.items():
        expected = value.numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["global_pool"].numpy(), mean.numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["head"].numpy(), logits.numpy(), rtol=1e-5, atol=1e-7)


def test_the_stem_of_inception_v4_by_hand():
    network = built("TinyInceptionV4")
    stem, images = network.backbone._inception_stem, paddle.randn([1, 3, 96, 96])
    largest = paddle.nn.functional.max_pool2d
    names = ["Conv2d_2b_3x3", "Mixed_3a", "Mixed_4a", "Mixed_5a"]
    with paddle.no_grad():
        x = stem._conv_3(stem._conv_2(stem._conv_1(images)))
        third = paddle.concat([largest(x, 3, 2), stem._conv2(x)], 1)
        long = stem._conv2_4(stem._conv2_3(stem._conv2_2(stem._conv2_1(third))))
        fourth = paddle.concat([stem._conv1_2(stem._conv1_1(third)), long], 1)
        fifth = paddle.concat([stem._conv3(fourth), largest(fourth, 3, 2)], 1)
        known = endpoints_of(network, "net")
        found = capture(network, [known[name] for name in names], images)
    for name, value in zip(names, (x, third, fourth, fifth), strict=True):
        np.testing.assert_array_equal(found[name].numpy(), value.numpy().transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("name", "pooled"), [("TinyInceptionV3", "PreLogits"), ("TinyInceptionV4", "PreLogitsFlatten")]
)
def test_what_an_inception_pools_is_not_scaled_for_its_classifier(name, pooled):
    network = built(name, class_num=5)
    images = paddle.randn([2, 3, 96, 96])
    known = endpoints_of(network, "net")
    with paddle.no_grad():
        found = capture(
            network, [known[one] for one in ("last_map", pooled, "Logits", "probs")], images
        )
        logits = network.backbone(images).numpy()
    mean = found["last_map"].numpy().mean((1, 2))
    np.testing.assert_allclose(found[pooled].numpy().reshape(2, -1), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["Logits"].numpy()[:, 1:], logits, rtol=1e-5, atol=1e-6)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(found["probs"].numpy()[:, 1:], shares, rtol=1e-5, atol=1e-6)


def test_the_background_stands_first_and_is_never_chosen():
    logits = paddle.to_tensor([[1.0, 3.0, 2.0], [-2e4, -3e4, -4e4]])
    np.testing.assert_array_equal(
        background_first(logits).numpy(), [[-1e4, 1, 3, 2], [-1e4, -2e4, -3e4, -4e4]]
    )
    shares = probabilities(logits).numpy()
    assert shares.shape == (2, 4)
    np.testing.assert_array_equal(shares[:, 0], [0, 0])
    np.testing.assert_allclose(shares[0, 1:], np.exp([1, 3, 2]) / np.exp([1, 3, 2]).sum(), 1e-6)
    chosen = chosen_class(logits).numpy()
    np.testing.assert_array_equal(chosen, [2, 1])
    np.testing.assert_array_equal(chosen, shares.argmax(1))
    assert chosen.dtype == np.int32


def test_a_map_is_flattened_by_height_then_width_then_channel():
    images = np.arange(2 * 3 * 2 * 4, dtype=np.float32).reshape(2, 3, 2, 4)
    rows = ending(built("TinyMobileNetV2"), "preprocessed_images").run(images)
    for image, row in zip(images, rows, strict=True):
        expected = [image[c, y, x] for y in range(2) for x in range(4) for c in range(3)]
        assert row.tolist() == expected


@pytest.mark.parametrize("name", ["preprocessed_images", "net/block2"])
def test_pooling_leaves_one_value_a_channel(name):
    network = built("TinyResNet")
    images = np.random.default_rng(0).standard_normal((2, 3, 40, 48), dtype=np.float32)
    with paddle.no_grad():
        value = ending(network, name).value(paddle.to_tensor(images)).numpy().astype(np.float64)
    expected = {
        "avg": value.mean((1, 2)),
        "max": value.max((1, 2)),
        "gem": (np.maximum(value, 1e-6) ** 3).mean((1, 2)) ** (1 / 3),
    }
    for pool, rows in expected.items():
        found = ending(network, name, pool)
        np.testing.assert_allclose(found.run(images), rows, rtol=1e-5, atol=1e-6)
        assert found.measure((40, 48)) == Measure((value.shape[3],), "float32", (40, 48))


def test_tokens_are_flattened_token_by_token_and_pooled_over_tokens():
    network = built("TinyViT")
    images = np.random.default_rng(0).standard_normal((2, 3, 64, 64), dtype=np.float32)
    with paddle.no_grad():
        x = paddle.to_tensor(images)
        patches = network.backbone.patch_embed(x)
        blocks = [one.numpy() for one in network.backbone._run_blocks(patches)]
    assert blocks[1].shape == (2, 1 + 16, 32)
    found = ending(network, "block_2")
    assert found.measure((64, 64)).shape == (17, 32)
    np.testing.assert_array_equal(found.run(images), blocks[1].reshape(2, -1))
    means = ending(network, "block_2", "avg").run(images)
    np.testing.assert_allclose(means, blocks[1].mean(1), rtol=1e-5, atol=1e-6)


def test_the_feature_is_what_the_neck_gives():
    paddle.seed(0)
    backbone = BACKBONES.build("TinyResNet")
    network = Recognizer(backbone, NECKS.build("FC", in_features=256, embedding_size=12))
    network.eval()
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32), dtype=np.float32)
    feature, own = (ending(network, name).run(images) for name in ("feature", "backbone"))
    with paddle.no_grad():
        np.testing.assert_array_equal(feature, network.neck(paddle.to_tensor(own)).numpy())
    assert feature.shape == (2, 12)


def test_a_wrong_name_is_answered_with_the_nearest_and_all():
    network = built("TinyResNet")
    with pytest.raises(ConfigError) as caught:
        find_endpoint(network, "resnet_v1_50", "resnet_v1_50/blok4")
    message = str(caught.value)
    assert message.startswith(
        "resnet_v1_50 has no endpoint 'resnet_v1_50/blok4'. Did you mean 'resnet_v1_50/block4'?"
    )
    assert all(name in message for name in endpoints_of(network, "resnet_v1_50"))


def test_what_has_no_places_cannot_be_pooled():
    network = built("TinyResNet")
    with pytest.raises(ConfigError, match=r"feature has no places that pool=gem.*Leave pool out"):
        ending(network, "feature", "gem").measure((32, 32))
    with pytest.raises(ConfigError, match=r"pool is 'mean'; expected one of avg, max, gem"):
        ending(network, "last_map", "mean")


def test_nothing_behind_the_endpoint_is_run_and_no_hook_stays():
    network = built("TinyResNet")
    ran = []
    for number, block in enumerate(network.backbone.blocks):
        block.register_forward_post_hook(lambda *_, number=number: ran.append(number))
    before = [len(layer._forward_post_hooks) for layer in network.sublayers()]
    ending(network, "net/block2").run(np.zeros((1, 3, 32, 32), np.float32))
    assert ran == [0, 1, 2]
    with pytest.raises(ValueError, match="channel"):
        ending(network, "net/block2").run(np.zeros((1, 5, 32, 32), np.float32))
    assert [len(layer._forward_post_hooks) for layer in network.sublayers()] == before


def test_one_pass_serves_all_layers():
    network = built("TinyResNet")
    passes = []
    network.backbone.stem.register_forward_post_hook(lambda *_: passes.append(1))
    known = endpoints_of(network, "net")
    names = ("net/conv1", "net/block1", "net/block4", "AvgPool_1a")
    with paddle.no_grad():
        capture(network, [known[name] for name in names], paddle.zeros([1, 3, 32, 32]))
    assert len(passes) == 1


def test_an_endpoint_of_the_input_runs_nothing():
    network = built("TinyResNet")
    network.backbone.stem.register_forward_post_hook(lambda *_: pytest.fail("was run"))
    capture(network, [Endpoint("x", Whole.IMAGES)], paddle.zeros([1, 3, 8, 8]))
