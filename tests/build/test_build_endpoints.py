"""From the name of a model and an endpoint to rows: weights, pictures, fingerprints."""

import io
import pickle

import numpy as np
import paddle
import pytest
from file_server import Served, serving

from toolkit.build.endpoints import endpoint_model, endpoint_names, open_endpoint
from toolkit.build.model import build_recognizer
from toolkit.cards.catalog import CARDS, model_card
from toolkit.cards.weights import write_weights
from toolkit.config.load import dump_config
from toolkit.data.sources import Source
from toolkit.errors import ConfigError, ModelError, WeightsError
from toolkit.fetch.options import FetchOptions
from toolkit.inference.engines.engine import open_engine
from toolkit.inference.pipeline import FeaturePipeline
from toolkit.registry import BACKBONES
from toolkit.runtime import Device

SMALL = "PPLCNet_x0_25"


def state_of(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def picture(height=50, width=70, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def prepared(engine, *pictures):
    rng = np.random.default_rng(0)
    return np.stack([engine.pipeline(one, rng) for one in pictures])


@pytest.fixture
def trained(configure, tmp_path):
    """A training output with the weights of a network, and the network."""
    config = configure()
    paddle.seed(5)
    network = build_recognizer(config.Arch, num_classes=4)
    network.eval()
    output = tmp_path / "output"
    write_weights(output / "best_model" / "best_model.pdparams", state_of(network))
    (output / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    return output, network


@pytest.mark.parametrize("pool", [None, "avg"])
def test_random_weights_are_those_of_the_seed(pool):
    def opened(seed):
        return open_endpoint(SMALL, "stage_2", pool=pool, weights="random", seed=seed)

    first, again, other = opened(7), opened(7), opened(8)
    images = prepared(first, picture())
    assert first.run(images).tobytes() == again.run(images).tobytes()
    assert np.abs(first.run(images) - other.run(images)).max() > 1e-3
    assert first.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize("name", ["TinySwin", "TinyEfficientNet", "TinyVGG"])
def test_a_backbone_needs_no_card(name):
    engine = open_endpoint(name, "stage_1", pool="avg", weights="random")
    assert engine.run(prepared(engine, picture())).shape == (1, engine.length)
    with pytest.raises(ModelError, match=f"No weights of '{name}' are published"):
        open_endpoint(name)


def test_no_threads_are_too_few():
    with pytest.raises(ConfigError, match="threads is 0; a network needs 1 or more"):
        open_endpoint(SMALL, weights="random", threads=0)


def test_drawing_weights_leaves_paddle_s_generator_alone():
    paddle.seed(3)
    expected = paddle.randn([4]).numpy()
    paddle.seed(3)
    open_endpoint(SMALL, weights="random", seed=9)
    np.testing.assert_array_equal(paddle.randn([4]).numpy(), expected)


def test_a_fingerprint_tells_apart_all_that_decides_the_row(tmp_path):
    recipes = [tmp_path / "small.yaml", tmp_path / "large.yaml"]
    for file, side in zip(recipes, (64, 96), strict=True):
        steps = f"[ResizeImage: {{size: {side}}}, NormalizeImage: {{}}, ToCHWImage: {{}}]"
        file.write_text(
            f"Global: {{model: {SMALL}}}\n"
            f"Data: {{train_transforms: {steps}, eval_transforms: {steps},"
            " sampler: {name: UniformSampler}}\n"
        )
    engines = [
        open_endpoint(recipes[0], "stage_2", weights="random"),
        open_endpoint(recipes[1], "stage_2", weights="random"),
        open_endpoint(recipes[0], "stage_3", weights="random"),
        open_endpoint(recipes[0], "stage_2", weights="random", pool="gem"),
        open_endpoint(recipes[0], "stage_2", weights="random", pool="max"),
    ]
    assert len({engine.fingerprint for engine in engines}) == len(engines)
    shapes = [engine.shape for engine in engines]
    assert shapes == [(16, 16, 16), (24, 24, 16), (8, 8, 32), (16,), (16,)]
    assert [engine.length for engine in engines] == [4096, 9216, 2048, 16, 16]


def test_a_row_does_not_depend_on_its_batch():
    # Matrix products of several heights round differently; this classifier's show it.
    engine = open_endpoint("efficientnet_b0", "logits", weights="random", threads=1)
    images = prepared(engine, *[picture(seed=seed) for seed in range(4)])
    rows = engine.run(images)
    alone = [engine.run(image[np.newaxis])[0] for image in images]
    assert rows.tobytes() == np.stack(alone).tobytes() == engine.run(images).tobytes()


def test_a_picture_is_given_as_it_was_decoded_one_at_a_time():
    engine = open_endpoint("mobilenet_v2", "original_image", weights="random")
    pixels = picture(11, 13)
    rows = engine.run(prepared(engine, pixels))
    assert rows.dtype == np.float32
    assert rows.tolist() == [pixels.reshape(-1).tolist()]
    assert (engine.shape, engine.length, engine.largest_batch) == ((None, None, 3), None, 1)
    with pytest.raises(ConfigError, match=r"one at a time; received 2\. Set batch_size to 1"):
        engine.run(prepared(engine, pixels, pixels))


def test_the_sizes_of_pictures_may_differ_in_a_batch():
    engine = open_endpoint("mobilenet_v2", "original_image_shape", weights="random")
    rows = engine.run(prepared(engine, picture(11, 13), picture(20, 7)))
    assert rows.tolist() == [[11, 13, 3], [20, 7, 3]]
    assert rows.dtype == np.int32
    assert (engine.shape, engine.length, engine.largest_batch) == ((3,), 3, None)


def test_published_weights_keep_their_classifier_where_it_is_needed(tmp_path):
    paddle.seed(1)
    published = BACKBONES.build("MobileNetV2", class_num=1000)
    published.eval()
    content = io.BytesIO()
    pickle.dump(state_of(published), content, protocol=4)
    with serving() as server:
        server.files["/dygraph/MobileNetV2_pretrained.pdparams"] = Served(content.getvalue())
        options = FetchOptions(tmp_path, mirror=server.url)
        answers = open_endpoint("mobilenet_v2_1.0_224", "Logits", options=options)
        feature = open_endpoint("MobileNetV2", options=options)
        images = prepared(answers, picture())
        with paddle.no_grad():
            logits = published(paddle.to_tensor(images)).numpy()
            published.out = paddle.nn.Identity()
            expected = published(paddle.to_tensor(images)).numpy()
        np.testing.assert_allclose(answers.run(images)[:, 1:], logits, rtol=1e-5, atol=1e-5)
        assert answers.run(images)[0, 0] == -1e4
        np.testing.assert_allclose(feature.run(images), expected, rtol=1e-5, atol=1e-6)


def test_a_file_without_the_classifier_is_refused_where_it_is_needed(tmp_path):
    file = tmp_path / "own.pdparams"
    write_weights(file, state_of(BACKBONES.build("MobileNetV2")))
    assert open_endpoint("mobilenet_v2", "layer_3", weights=str(file)).length == 56 * 56 * 24
    with pytest.raises(WeightsError, match=r"backbone\.out\.weight"):
        open_endpoint("mobilenet_v2", "class", weights=str(file))


def test_the_model_of_the_package_gives_what_its_export_gives():
    card = CARDS["SmallResNet_general"]
    engine = open_endpoint(card.name)
    images = prepared(engine, picture())
    expected = open_engine("paddle", card.embedded_folder, Device("cpu"), threads=1).run(images)
    np.testing.assert_allclose(engine.run(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("place", ["", "best_model", "best_model/best_model.pdparams"])
def test_a_training_output_is_opened_whole_or_at_a_checkpoint(trained, place):
    output, network = trained
    engine = open_endpoint(output / place)
    images = prepared(engine, picture())
    with paddle.no_grad():
        expected = network.embed(paddle.to_tensor(images)).numpy()
    np.testing.assert_array_equal(engine.run(images), expected)
    assert endpoint_names(output / place)[-4:] == ["stage_2", "last_map", "backbone", "feature"]


def test_one_checkpoint_is_not_taken_for_another(trained):
    output, _ = trained
    raw = open_endpoint(output).fingerprint
    best = output / "best_model" / "best_model.pdparams"
    other = output / "latest" / "latest.pdparams"
    write_weights(other, {name: 2 * one for name, one in state_of(trained[1]).items()})
    assert open_endpoint(output / "latest").fingerprint != raw
    assert open_endpoint(output, weights=str(best)).fingerprint == raw
    assert open_endpoint(output).fingerprint == raw


def test_a_pipeline_of_pictures_runs_it():
    engine = open_endpoint("SmallResNet_general")
    pictures = [picture(seed=seed) for seed in range(3)]
    sources = [Source(None, lambda one=one: one) for one in pictures]
    outcomes = list(FeaturePipeline(engine, engine.pipeline, workers=2).features(sources, 2))
    rows = engine.run(prepared(engine, *pictures))
    for outcome, row in zip(outcomes, rows, strict=True):
        np.testing.assert_allclose(outcome.feature, row / np.linalg.norm(row), atol=1e-6)


def test_what_cannot_be_opened_says_so(tmp_path, trained):
    with pytest.raises(
        ModelError, match=r"Unknown model 'resnet_v1_5'. Did you mean 'resnet_v1_50'"
    ):
        open_endpoint("resnet_v1_5")
    with pytest.raises(ModelError, match="does not exist; expected the output folder"):
        open_endpoint(tmp_path / "nowhere" / "run")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"has no config.yaml beside it.*path as weights"):
        open_endpoint(tmp_path / "a" / "b" / "c")
    with pytest.raises(ModelError, match=r"No weights of 'InceptionV1'.*weights=random"):
        open_endpoint("InceptionV1")
    with pytest.raises(ConfigError, match=r"SmallResNet has no endpoint 'stage_9'.*stage_2"):
        open_endpoint(trained[0], "stage_9")


def test_a_recipe_without_a_classifier_has_no_classes(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("Global: {model: MobileNetV2}\nArch: {Backbone: {name: TinyMobileNetV2}}\n")
    with pytest.raises(ConfigError, match=r"'MobileNetV2' has no ImageNet classifier.*class_num"):
        open_endpoint(recipe, "class", weights="random")
    recipe.write_text(
        "Global: {model: MobileNetV2}\nArch: {Backbone: {name: TinyMobileNetV2, class_num: 6}}\n"
    )
    assert open_endpoint(recipe, "probs", weights="random").length == 7


@pytest.mark.parametrize(
    ("alias", "name"),
    [("mobilenet_v2_1.0_224", "mobilenet_v2"), ("efficientnet-b0", "efficientnet_b0")],
)
def test_easyvision_s_folders_are_names_too(alias, name):
    assert model_card(alias) is CARDS[name]
    assert endpoint_model(alias).name == name
