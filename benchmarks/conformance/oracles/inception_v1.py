"""Inception v1 against tf-slim's."""

import functools
import importlib
from typing import Any
from unittest import mock

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.oracles._tf_slim import (
    PEER,
    build_average,
    build_logits,
    compare_network,
)

__all__ = ["GOLDEN", "PEER", "compare"]
GOLDEN = ("TinyInceptionV1", "TinyInceptionV1 75 pixels")


def compare(table: Comparison) -> None:
    """Compares logits and feature, and a network an eighth as wide on even and odd maps."""
    from toolkit.registry import BACKBONES

    logits = functools.partial(build_logits, "inception_v1")
    ours = BACKBONES.build("InceptionV1", class_num=1000)
    compare_network(table, "InceptionV1 logits", ours, logits, side=224)
    average = functools.partial(build_average, "inception_v1")
    compare_network(table, "InceptionV1", BACKBONES.build("InceptionV1"), average, side=224)
    for line, side in (("TinyInceptionV1", 64), ("TinyInceptionV1 75 pixels", 75)):
        ours = BACKBONES.build("TinyInceptionV1")
        compare_network(table, line, ours, build_thin_average, side=side)


def build_thin_average(images: Any) -> Any:
    """Builds tf-slim's network with every convolution an eighth as wide, up to its average."""
    layers = importlib.import_module("tf_slim.nets.inception_v1").layers
    conv2d = layers.conv2d

    # tf-slim finds a layer's defaults by an attribute of the function, which this passes on.
    @functools.wraps(conv2d)
    def thin(inputs: Any, num_outputs: int, *arguments: Any, **named: Any) -> Any:
        return conv2d(inputs, num_outputs // 8, *arguments, **named)

    with mock.patch.object(layers, "conv2d", thin):
        return build_average("inception_v1", images)
