"""Runs tf-slim's Inception networks, which are graphs of TensorFlow 1, on our weights."""

import importlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.oracles._weights import Unit, units
from benchmarks.conformance.seeded import Array, fill, seeded_images

# TensorFlow looks for the batch norm that tf-slim asks for in tf-keras.
PEER = ["tf-slim==1.1.0", "tensorflow>=2.20,<2.21", "tf-keras>=2.20,<2.21"]
# tf-slim's scopes of the classifiers.
CLASSIFIERS = {"InceptionV1": "Conv2d_0c_1x1", "InceptionV2": "Conv2d_1c_1x1"}


def build_logits(name: str, images: Any) -> Any:
    """Builds a whole network of tf-slim for 1000 classes.

    Args:
        name: of its module and function, such as ``inception_v1``.
        images: [b, h, w, 3].
    """
    slim, module = import_network(name)
    with slim.arg_scope(getattr(module, f"{name}_arg_scope")()):
        build = getattr(module, name)
        logits, _ = build(images, num_classes=1000, is_training=False)
    return logits


def build_average(name: str, images: Any, **widths: Any) -> Any:
    """Builds a network of tf-slim up to its last module, and averages that over all places."""
    slim, module = import_network(name)
    scope = slim.arg_scope(getattr(module, f"{name}_arg_scope")())
    with scope, slim.arg_scope([slim.batch_norm], is_training=False):
        last, _ = getattr(module, f"{name}_base")(images, **widths)
    return importlib.import_module("tensorflow").reduce_mean(last, [1, 2])


def compare_network(
    table: Comparison, line: str, ours: Any, build: Callable[[Any], Any], *, side: int
) -> None:
    """Prints one line: names and shapes of all variables, and the output.

    Args:
        table: to print into.
        line: its name.
        ours: our network.
        build: makes tf-slim's network from images [b, h, w, 3] and returns its output.
        side: of the square images.
    """
    import paddle

    images = seeded_images(side=side)
    fill(ours)
    ours.eval()
    values = variables(ours)
    theirs, output = run(build, images, values)
    tensors = table.states(_stateful(values), _stateful(theirs))
    with paddle.no_grad():
        table.line(line, tensors, ours(paddle.to_tensor(images)), output)


def run(
    build: Callable[[Any], Any], images: Array, values: dict[str, Array]
) -> tuple[dict[str, Array], Array]:
    """Returns all variables of a network as it was made, and its output on the given ones."""
    tensorflow = importlib.import_module("tensorflow").compat.v1
    tensorflow.logging.set_verbosity(tensorflow.logging.ERROR)
    graph = tensorflow.Graph()
    with graph.as_default(), tensorflow.Session() as session:
        given = tensorflow.placeholder(tensorflow.float32, [None, *images.shape[2:], 3])
        output = build(given)
        session.run(tensorflow.global_variables_initializer())
        own = {}
        for variable in tensorflow.global_variables():
            name = variable.op.name.partition("/")[2]
            own[name] = session.run(variable)
            if name in values:
                variable.load(values[name], session)
        result = session.run(output, {given: images.transpose(0, 2, 3, 1)})
        return own, np.asarray(result)


def variables(network: Any) -> dict[str, Array]:
    """Returns our weights under tf-slim's names: our sublayers have the names of its scopes."""
    named: dict[str, Array] = {}
    for unit in units(network):
        named |= _of_unit(unit)
    state = network.state_dict()
    if "Logits.weight" in state:
        classifier = f"Logits/{CLASSIFIERS[type(network).__name__]}"
        named[f"{classifier}/weights"] = state["Logits.weight"].numpy()[None, None]
        named[f"{classifier}/biases"] = state["Logits.bias"].numpy()
    return named


def _of_unit(unit: Unit) -> dict[str, Array]:
    scope, _, last = unit.name.replace(".", "/").rpartition("/")
    if last == "depthwise":
        # Ours is [height, width, 1, colours x kernels of each].
        kernel = unit.kernel.reshape(*unit.kernel.shape[:2], 3, -1)
        return {f"{scope}/depthwise_weights": kernel}
    if last == "pointwise":
        named = {f"{scope}/pointwise_weights": unit.kernel}
        return named if unit.bias is None else named | {f"{scope}/biases": unit.bias}
    whole = f"{scope}/{last}" if scope else last
    named = {f"{whole}/weights": unit.kernel}
    if unit.norm is not None:
        kinds = ("beta", "moving_mean", "moving_variance")
        norm = zip(kinds, unit.norm, strict=True)
        named |= {f"{whole}/BatchNorm/{kind}": value for kind, value in norm}
    return named


def _stateful(values: dict[str, Array]) -> Any:
    return SimpleNamespace(state_dict=lambda: values)


def import_network(name: str) -> tuple[Any, Any]:
    """Imports tf-slim and one of its networks, and lets TensorFlow find its batch norm."""
    layers = "tf_keras.legacy_tf_layers.normalization"
    sys.modules[layers] = importlib.import_module(layers.replace("tf_keras.", "tf_keras.src."))
    return importlib.import_module("tf_slim"), importlib.import_module(f"tf_slim.nets.{name}")
