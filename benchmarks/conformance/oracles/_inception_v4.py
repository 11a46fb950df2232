"""Inception v4 of tf-slim's layers, with the scopes, kernels and order of slim's own.

Source: ``research/slim/nets/inception_v4.py`` of tensorflow/models, which no package ships.
"""

import importlib
import re
from typing import Any

from benchmarks.conformance.oracles._tf_slim import import_network

# Modules as branches of "scope channels"; a trailing ! is a stride of 2 without padding, - only
# without padding; a last group in brackets works side by side.
_A = ("0a_1x1 96", "0a_1x1 64, 0b_3x3 96", "0a_1x1 64, 0b_3x3 96, 0c_3x3 96", "avg, 0b_1x1 96")
_REDUCTION_A = ("1a_3x3 384!", "0a_1x1 192, 0b_3x3 224, 1a_3x3 256!", "max")
_B = (
    "0a_1x1 384",
    "0a_1x1 192, 0b_1x7 224, 0c_7x1 256",
    "0a_1x1 192, 0b_7x1 192, 0c_1x7 224, 0d_7x1 224, 0e_1x7 256",
    "avg, 0b_1x1 128",
)
_REDUCTION_B = (
    "0a_1x1 192, 1a_3x3 192!",
    "0a_1x1 256, 0b_1x7 256, 0c_7x1 320, 1a_3x3 320!",
    "max",
)
_C = (
    "0a_1x1 256",
    "0a_1x1 384, [0b_1x3 256, 0c_3x1 256]",
    "0a_1x1 384, 0b_3x1 448, 0c_1x3 512, [0d_1x3 256, 0e_3x1 256]",
    "avg, 0b_1x1 256",
)
_STEM = ("1a_3x3 32!", "2a_3x3 32-", "2b_3x3 64")
_MODULES = {
    "Mixed_3a": ("max", "0a_3x3 96!"),
    "Mixed_4a": (
        "0a_1x1 64, 1a_3x3 96-",
        "0a_1x1 64, 0b_1x7 64, 0c_7x1 64, 1a_3x3 96-",
    ),
    "Mixed_5a": ("1a_3x3 192!", "max"),
    **{f"Mixed_5{letter}": _A for letter in "bcde"},
    "Mixed_6a": _REDUCTION_A,
    **{f"Mixed_6{letter}": _B for letter in "bcdefgh"},
    "Mixed_7a": _REDUCTION_B,
    **{f"Mixed_7{letter}": _C for letter in "bcd"},
}
_CONV = re.compile(r"(\w+_(\d)x(\d)) (\d+)([!-]?)")


def build_inception_v4(images: Any, classes: int) -> None:
    """Builds the network in evaluation mode, without the classifier on the side."""
    # Its arguments are those of Inception v3.
    slim, module = import_network("inception_v3")
    tensorflow = importlib.import_module("tensorflow").compat.v1
    with (
        slim.arg_scope(module.inception_v3_arg_scope()),
        slim.arg_scope([slim.batch_norm], is_training=False),
        tensorflow.variable_scope("InceptionV4"),
    ):
        net = images
        for text in _STEM:
            net = _step(slim, net, text)
        for name, branches in _MODULES.items():
            with tensorflow.variable_scope(name):
                net = tensorflow.concat(list(_branches(slim, tensorflow, net, branches)), 3)
        with tensorflow.variable_scope("Logits"):
            feature = tensorflow.reduce_mean(net, [1, 2], name="PreLogits")
            slim.fully_connected(feature, classes, activation_fn=None, scope="Logits")


def _branches(slim: Any, tensorflow: Any, net: Any, branches: tuple[str, ...]) -> Any:
    for number, branch in enumerate(branches):
        with tensorflow.variable_scope(f"Branch_{number}"):
            chain, _, pair = branch.partition("[")
            out = net
            for text in filter(None, chain.strip(", ").split(", ")):
                out = _step(slim, out, text)
            if pair:
                ends = [_step(slim, out, text) for text in pair.rstrip("]").split(", ")]
                out = tensorflow.concat(ends, 3)
            yield out


def _step(slim: Any, net: Any, text: str) -> Any:
    if text == "avg":
        return slim.avg_pool2d(net, [3, 3], stride=1, padding="SAME")
    if text == "max":
        return slim.max_pool2d(net, [3, 3], stride=2, padding="VALID")
    match = _CONV.fullmatch(text)
    if match is None:
        raise ValueError(f"unknown step {text!r}")
    scope, height, width, channels, mark = match.groups()
    return slim.conv2d(
        net,
        int(channels),
        [int(height), int(width)],
        stride=2 if mark == "!" else 1,
        padding="VALID" if mark else "SAME",
        scope=f"Conv2d_{scope}",
    )
