"""The networks of TensorFlow-slim in TensorFlow itself, with random weights, as checkpoints.

tf-slim on PyPI lacks two of them. Inception-ResNet v2 comes out of mmdnn, which ships slim's file;
nobody ships Inception v4, so `_inception_v4` builds it of tf-slim's layers.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.conformance.oracles._inception_v4 import build_inception_v4
from benchmarks.conformance.oracles._tf_slim import import_network
from benchmarks.conformance.seeded import Array, seeded_values

# The output of what Compute-Features takes, and of the classifier, below the network's scope.
_INCEPTION = {"Logits": "Logits/SpatialSqueeze"}
_DENSE = {"PreLogitsFlatten": "Logits/PreLogits", "Logits": "Logits/Logits/BiasAdd"}
_RESNET = {"global_pool": "pool5", "logits": "logits/BiasAdd"}
_HIDDEN = {"fc7": "fc7/Relu", "fc8": "fc8/squeezed"}
OUTPUTS: dict[str, dict[str, str]] = {
    "inception_v1": {"AvgPool_0a_7x7": "Logits/MaxPool_0a_7x7/AvgPool", **_INCEPTION},
    "inception_v2": {"AvgPool_1a": "Logits/AvgPool_1a_7x7/AvgPool", **_INCEPTION},
    "inception_v3": {"AvgPool_1a": "Logits/AvgPool_1a_8x8/AvgPool", **_INCEPTION},
    "inception_v4": _DENSE,
    "inception_resnet_v2": _DENSE,
    "resnet_v1": _RESNET,
    "resnet_v2": _RESNET,
    "vgg": _HIDDEN,
    "alexnet_v2": _HIDDEN,
}
# Where the module is not named as the family.
_MODULES = {"alexnet_v2": "alexnet"}
# Branches that add up grow from block to block; these keep their sums in range.
_GAINS = {"resnet_v1": 0.5, "resnet_v2": 0.5}


def write_checkpoints(model: Any, images: Array, folder: Path) -> dict[str, Array]:
    """Writes ``v1.ckpt`` in the old format and ``v2.ckpt`` in the new one.

    Args:
        model: a `SlimModel`.
        images: [b, 3, h, w].
        folder: where.

    Returns:
        What TensorFlow computes: slim's name of a layer -> its output [b, d].
    """
    tensorflow = importlib.import_module("tensorflow").compat.v1
    tensorflow.logging.set_verbosity(tensorflow.logging.FATAL)
    with tensorflow.Graph().as_default() as graph, tensorflow.Session() as session:
        given = tensorflow.placeholder(tensorflow.float32, [None, *images.shape[2:], 3])
        _build(model, given)
        variables = tensorflow.global_variables()
        gain = _GAINS.get(model.family, 1.0)
        values = {
            variable.initializer.inputs[1]: _values(
                variable.op.name, tuple(variable.shape.as_list()), gain
            )
            for variable in variables
        }
        # All in one run: to prepare one takes a second in these graphs.
        session.run([variable.initializer for variable in variables], values)
        for version, name in ((tensorflow.train.SaverDef.V1, "v1"), (None, "v2")):
            saver = tensorflow.train.Saver(**({"write_version": version} if version else {}))
            saver.save(session, str(folder / f"{name}.ckpt"), write_meta_graph=False)
        tensors = {
            layer: graph.get_tensor_by_name(f"{model.scope}/{output}:0")
            for layer, output in OUTPUTS[model.family].items()
        }
        outputs = session.run(tensors, {given: images.transpose(0, 2, 3, 1)})
    return {layer: output.reshape(len(images), -1) for layer, output in outputs.items()}


def _build(model: Any, images: Any) -> None:
    """Builds a network of slim with as many classes as its published checkpoint has."""
    classes = 1000 if model.preprocessing == "vgg" else 1001
    makers: dict[str, Callable[[Any, int], None]] = {
        "inception_v4": build_inception_v4,
        "inception_resnet_v2": _build_inception_resnet_v2,
    }
    if model.family in makers:
        makers[model.family](images, classes)
        return
    slim, module = import_network(_MODULES.get(model.family, model.family))
    family = "resnet" if model.family.startswith("resnet") else model.family
    with slim.arg_scope(getattr(module, f"{family}_arg_scope")()):
        getattr(module, model.name)(images, num_classes=classes, is_training=False)


def _build_inception_resnet_v2(images: Any, classes: int) -> None:
    """Runs the file in mmdnn, which was written for TensorFlow 1, on its namesake in TensorFlow 2.

    It calls the layer in front of the classifier by no name; tf.identity gives it one.
    """
    slim, _ = import_network("inception_v1")
    tensorflow = importlib.import_module("tensorflow").compat.v1
    old = SimpleNamespace(**vars(tensorflow), contrib=SimpleNamespace(slim=slim))
    with mock.patch.dict(sys.modules, {"tensorflow": old}):
        module = importlib.import_module(
            "mmdnn.conversion.examples.tensorflow.models.inception_resnet_v2"
        )
    with slim.arg_scope(module.inception_resnet_v2_arg_scope()):
        _, ends = module.inception_resnet_v2(images, num_classes=classes, is_training=False)
    tensorflow.identity(ends["PreLogitsFlatten"], "InceptionResnetV2/Logits/PreLogits")


def _values(name: str, shape: tuple[int, ...], gain: float) -> Array:
    if len(shape) == 4:
        height, width, inputs, outputs = shape
        kernel = seeded_values(name, (outputs, inputs, height, width)) * np.float32(gain)
        return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
    # A gain is told by its name, as in our networks.
    return seeded_values(name.replace("/gamma", ".weight"), shape)
