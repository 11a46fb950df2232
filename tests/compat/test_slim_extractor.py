"""A checkpoint that TensorFlow wrote, through reader, names and network, to TensorFlow's output."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.conformance.seeded import seeded_images
from toolkit.cards import tensorflow_slim
from toolkit.compat.slim_extractor import open_slim
from toolkit.compat.slim_pictures import slim_pipeline
from toolkit.errors import ConfigError

pytest.importorskip("paddle")
GOLDEN = Path(__file__).parents[1] / "cards" / "golden"
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def thin(monkeypatch):
    """Inception v2 a sixteenth as wide, as the golden checkpoint has it."""
    whole = tensorflow_slim.SLIM_MODELS["inception_v2"]
    model = dataclasses.replace(whole, name="thin", backbone="TinyInceptionV2", side=64)
    monkeypatch.setitem(tensorflow_slim.SLIM_MODELS, "thin", model)


@pytest.mark.parametrize("layer", ["AvgPool_1a", "Logits"])
def test_equals_tensorflow(layer):
    slim = open_slim("thin", GOLDEN / "thin_inception_v2.ckpt", layer=layer)
    with np.load(GOLDEN / "thin_inception_v2.npz") as golden:
        wanted = golden[layer]
    vectors = slim.run(seeded_images(side=64))
    assert slim.dim == vectors.shape[1] == wanted.shape[1]
    assert np.abs(vectors - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_the_layer_of_the_original_by_default_and_with_its_scope():
    file = GOLDEN / "thin_inception_v2.ckpt"
    assert open_slim("thin", file).layer == "AvgPool_1a"
    assert open_slim("thin", file, layer="InceptionV2/Logits").layer == "Logits"
    with pytest.raises(ConfigError, match=r"Unknown layer 'Logit' of thin.*'Logits'"):
        open_slim("thin", file, layer="Logit")


class TestPictures:
    @pytest.mark.parametrize("name", tensorflow_slim.SLIM_MODELS)
    @pytest.mark.parametrize("legacy", [False, True])
    def test_size_and_range(self, name, legacy):
        model = tensorflow_slim.SLIM_MODELS[name]
        pixels = RNG.integers(0, 256, [300, 500, 3], dtype=np.uint8)
        tensor = slim_pipeline(model, legacy=legacy)(pixels, RNG)
        side = model.legacy_side if legacy else model.side
        assert tensor.shape == (3, side, side)
        assert tensor.dtype == np.float32
        low, high = {
            (True, "vgg"): (0, 255),
            (True, "inception"): (0, 255),
            (False, "vgg"): (-123.68, 151.06),
            (False, "inception"): (-1, 1),
        }[legacy, model.preprocessing]
        assert low <= tensor.min() < tensor.max() <= high

    def test_means_of_vgg_are_in_the_order_of_the_colours(self):
        pixels = np.full([256, 256, 3], (255, 128, 0), np.uint8)
        tensor = slim_pipeline(tensorflow_slim.SLIM_MODELS["vgg_16"])(pixels, RNG)
        np.testing.assert_allclose(tensor[:, 0, 0], [131.32, 11.22, -103.94], atol=1e-4)

    def test_inception_sees_the_middle_seven_eighths(self):
        # Columns count up, so what is seen can be read off: 32 of 256 are cut away.
        pixels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, 0).repeat(3, 2)
        tensor = slim_pipeline(tensorflow_slim.SLIM_MODELS["inception_v1"])(pixels, RNG)
        np.testing.assert_allclose(tensor[0, 0, [0, -1]] * 127.5 + 127.5, [16, 239], atol=1e-3)

    def test_legacy_is_a_squash_as_scipy_did_it(self):
        pixels = RNG.integers(0, 256, [40, 90, 3], dtype=np.uint8)
        tensor = slim_pipeline(tensorflow_slim.SLIM_MODELS["vgg_16"], legacy=True)(pixels, RNG)
        wanted = np.asarray(Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(tensor, wanted.transpose(2, 0, 1))
