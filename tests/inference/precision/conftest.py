"""A small network as ``features.onnx``, with channels as uneven as a trained one's."""

import numpy as np
import pytest
from onnx import helper

from tests.inference.precision.small_network import (
    SIDE,
    convolution,
    from_pooled,
    save,
    to_input,
)


@pytest.fixture
def uneven(tmp_path):
    """Dense, depthwise and dense convolutions with batch norm, then a layer on pooled features."""
    rng = np.random.default_rng(0)
    # Widths from 0.03 to 3: in one scale of eight bits the narrow channels would be lost.
    spread = np.geomspace(0.03, 3, 8)
    nodes, weights = to_input()
    last, ends = from_pooled("last")
    nodes += [
        convolution("first", "x", "w1", "b1", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["first"], ["first_relu"], name="first_relu"),
        convolution("deep", "first_relu", "w2", "b2", group=8, pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization", ["deep", "gain", "shift", "mean", "variance"], ["norm"], name="bn"
        ),
        helper.make_node("Relu", ["norm"], ["deep_relu"], name="deep_relu"),
        convolution("dense", "deep_relu", "w3"),
        helper.make_node("Relu", ["dense"], ["dense_relu"], name="dense_relu"),
        helper.make_node("GlobalAveragePool", ["dense_relu"], ["pooled"], name="pool"),
        convolution("last", "pooled", "w4", "b4"),
        *last,
    ]
    weights |= ends | {
        "w1": rng.normal(size=(8, 3, 3, 3)) * spread[:, None, None, None],
        "b1": rng.normal(size=8) * spread,
        "w2": rng.normal(size=(8, 1, 3, 3)) / spread[:, None, None, None],
        "b2": rng.normal(size=8),
        "gain": rng.uniform(0.5, 2, 8),
        "shift": rng.normal(size=8),
        "mean": rng.normal(size=8),
        "variance": rng.uniform(0.5, 2, 8),
        "w3": rng.normal(size=(6, 8, 1, 1)),
        "w4": rng.normal(size=(6, 6, 1, 1)),
        "b4": rng.normal(size=6),
    }
    weights = {
        name: value if value.dtype == np.int64 else value.astype(np.float32)
        for name, value in weights.items()
    }
    return save(tmp_path / "features.onnx", nodes, weights)


@pytest.fixture
def images():
    """uint8 [n, h, w, 3]: patches of colour, which differ more than noise does."""
    rng = np.random.default_rng(1)
    patches = rng.integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    return patches.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2)
