"""Every parameter of every network of slim, against the variables that TensorFlow itself has."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from toolkit.cards.slim_names import variable_names
from toolkit.cards.tensor_values import Variable
from toolkit.cards.tensorflow_slim import SLIM_MODELS, slim_classes, slim_model, slim_weights
from toolkit.errors import ModelError, WeightsError
from toolkit.registry import BACKBONES

paddle = pytest.importorskip("paddle")
GOLDEN = Path(__file__).parent / "golden"
TENSORFLOW = json.loads(gzip.decompress((GOLDEN / "slim_variables.json.gz").read_bytes()))
# Of a classifier on the side, which only training uses.
ASIDE = "/AuxLogits/"


class FakeCheckpoint:
    """Variables of some shapes; values are asked for by name."""

    path = Path("fake.ckpt")

    def __init__(self, shapes, values=None):
        self.variables = {name: Variable(1, tuple(shape)) for name, shape in shapes.items()}
        self.values = values or {}

    def arrays(self, names):
        for name in names:
            yield name, self.values.get(name, np.zeros(self.variables[name].shape, np.float32))


def read_weights(model, checkpoint, shapes):
    return dict(slim_weights(model, checkpoint, shapes))


def build(model, class_num):
    # Without values: a large network is there in a moment.
    with paddle.LazyGuard():
        return BACKBONES.build(model.backbone, class_num=class_num, **model.options)


def shapes_of(model, class_num):
    network = build(model, class_num)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def test_the_thirteen_networks_and_alexnet():
    assert len(SLIM_MODELS) == 14
    assert set(SLIM_MODELS) == set(TENSORFLOW)


@pytest.mark.parametrize("name", SLIM_MODELS)
def test_every_parameter_has_a_variable_of_its_own_and_none_is_left(name):
    model, variables = SLIM_MODELS[name], TENSORFLOW[name]
    classes = slim_classes(model, FakeCheckpoint(variables))
    assert classes == (1000 if model.preprocessing == "vgg" else 1001)
    ours = shapes_of(model, classes)
    mapped = variable_names(model.family, model.scope, ours)
    assert len(set(mapped.values())) == len(ours)
    wanted = {variable for variable in variables if ASIDE not in variable}
    gains = {variable for variable in mapped.values() if variable.endswith("/gamma")}
    assert set(mapped.values()) - wanted == (gains if name.startswith("inception") else set())
    assert wanted <= set(mapped.values())
    for ours_name, variable in mapped.items():
        theirs, own = variables.get(variable), ours[ours_name]
        if theirs and len(own) == 4 and not variable.endswith("depthwise_weights"):
            # Also tells rows from columns: 1x7 from 7x1.
            assert own == tuple(theirs[axis] for axis in (3, 2, 0, 1)), ours_name
        elif theirs:
            assert math.prod(own) == math.prod(theirs), ours_name
    # Without the classifier nothing else changes.
    network = build(model, 0)
    assert network.out_features == model.dim
    feature = variable_names(model.family, model.scope, network.state_dict())
    left = set(mapped.values()) - set(feature.values())
    assert {variable.rpartition("/")[0] for variable in left} == {
        f"{model.scope}/{model.classifier}".rpartition("/")[0]
    }


@pytest.mark.parametrize(
    "name", ["inception_v1", "inception_v2", "inception_v3", "resnet_v1_50", "resnet_v2_50"]
)
def test_every_array_arrives_in_our_shape(name):
    model = SLIM_MODELS[name]
    shapes = shapes_of(model, 0)
    weights = read_weights(model, FakeCheckpoint(TENSORFLOW[name]), shapes)
    assert {key: array.shape for key, array in weights.items()} == shapes
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}


def test_the_features_have_the_documented_lengths():
    lengths = [model.dim for model in SLIM_MODELS.values()]
    assert lengths == [1024, 1024, 2048, 1536, 1536, *[2048] * 6, *[4096] * 3]


class TestLayout:
    """With values told apart: theirs are [height, width, in, out]."""

    @staticmethod
    def read(array, shape, name="conv1/weights"):
        model = slim_model("vgg_16")
        ours = {"conv1/weights": "conv_block_1.conv1.weight", "fc6/weights": "fc1.weight"}[name]
        variable = variable_names("vgg", "vgg_16", [ours])[ours]
        checkpoint = FakeCheckpoint({variable: array.shape}, {variable: array})
        return read_weights(model, checkpoint, {ours: shape})[ours]

    def test_a_convolution(self):
        theirs = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
        ours = self.read(theirs, (5, 4, 2, 3))
        for place in np.ndindex(2, 3, 4, 5):
            row, column, given, made = place
            assert ours[made, given, row, column] == theirs[place]

    def test_a_linear_layer_was_a_convolution_of_the_whole_map(self):
        rng = np.random.default_rng(0)
        theirs, image = rng.normal(size=(2, 2, 3, 4)), rng.normal(size=(3, 2, 2))
        ours = self.read(theirs, (12, 4), "fc6/weights")
        wanted = np.einsum("chw,hwco->o", image, theirs)
        np.testing.assert_allclose(image.reshape(-1) @ ours, wanted, rtol=1e-5)

    def test_a_depthwise_convolution(self):
        model = slim_model("inception_v2")
        theirs = np.arange(7 * 7 * 3 * 8).reshape(7, 7, 3, 8)
        name, variable = (
            "Conv2d_1a_7x7.depthwise.weight",
            "InceptionV2/Conv2d_1a_7x7/depthwise_weights",
        )
        checkpoint = FakeCheckpoint({variable: theirs.shape}, {variable: theirs})
        ours = read_weights(model, checkpoint, {name: (24, 1, 7, 7)})[name]
        # Output channel c * 8 + m is kernel m over colour c.
        assert ours[2 * 8 + 5, 0, 3, 4] == theirs[3, 4, 2, 5]

    def test_a_gain_that_slim_has_not_is_one(self):
        model = slim_model("inception_v1")
        names = {"A.bn.weight": (3,), "A.bn._mean": (3,)}
        checkpoint = FakeCheckpoint({"InceptionV1/A/BatchNorm/moving_mean": (3,)})
        weights = read_weights(model, checkpoint, names)
        np.testing.assert_array_equal(weights["A.bn.weight"], [1, 1, 1])


class TestErrors:
    def test_an_unknown_model(self):
        with pytest.raises(ModelError, match=r"Unknown model 'vgg19'\. Did you mean 'vgg_19'"):
            slim_model("vgg19")

    def test_the_checkpoint_of_another_network(self):
        model = slim_model("resnet_v1_50")
        other = FakeCheckpoint(TENSORFLOW["resnet_v1_101"])
        with pytest.raises(
            WeightsError, match=r"lacks 212 of the 265.*variables of: resnet_v1_101"
        ):
            read_weights(model, other, shapes_of(model, 0))

    def test_a_missing_variable(self):
        shapes = dict(TENSORFLOW["resnet_v1_50"])
        del shapes["resnet_v1_50/conv1/BatchNorm/gamma"]
        model = slim_model("resnet_v1_50")
        # A network that has gains must not get ones in silence.
        with pytest.raises(WeightsError, match=r"lacks 1 of .*resnet_v1_50/conv1/BatchNorm/gamma"):
            read_weights(model, FakeCheckpoint(shapes), shapes_of(model, 0))

    def test_another_shape(self):
        shapes = TENSORFLOW["resnet_v1_50"] | {"resnet_v1_50/conv1/weights": [5, 5, 3, 64]}
        model = slim_model("resnet_v1_50")
        with pytest.raises(WeightsError, match=r"shape \[5, 5, 3, 64\], which does not fit"):
            read_weights(model, FakeCheckpoint(shapes), shapes_of(model, 0))

    def test_no_classifier(self):
        with pytest.raises(WeightsError, match=r"no classifier.*Take the layer 'AvgPool_1a'"):
            slim_classes(slim_model("inception_v3"), FakeCheckpoint({}))
