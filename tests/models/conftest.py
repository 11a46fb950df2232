import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from benchmarks.conformance import seeded

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def conformance():
    """The weights and inputs behind the golden outputs."""
    return seeded


@pytest.fixture(scope="session")
def golden():
    """Outputs of PaddleClas and of other peers, by name; the .md beside each file tells which."""
    outputs = {}
    for file in sorted(GOLDEN.glob("*.npz")):
        with np.load(file) as arrays:
            outputs |= dict(arrays)
    return outputs


@pytest.fixture(scope="session")
def state_names():
    """PaddleClas's parameter names and shapes, by network."""
    return json.loads((GOLDEN / "paddleclas_state_names.json").read_text(encoding="utf-8"))


@pytest.fixture
def distance_to_golden(golden, conformance):
    """Fills a network, runs it, and returns how far its outputs are from a peer's, relatively."""

    def measured(network, name, *, side=64, gain=1.0):
        conformance.fill(network, gain)
        network.eval()
        with paddle.no_grad():
            outputs = network(paddle.to_tensor(conformance.seeded_images(side=side))).numpy()
        expected = golden[name]
        assert outputs.shape == expected.shape
        return np.abs(outputs - expected).max() / np.abs(expected).max()

    return measured


@pytest.fixture
def map_sizes():
    """Runs a network on images and returns every layer's output shape without the batch."""

    def measured(network, images):
        sizes = {}

        def note(name):
            return lambda _layer, _inputs, output: sizes.update({name: output.shape[1:]})

        for name, layer in network.named_sublayers():
            layer.register_forward_post_hook(note(name))
        network.eval()
        with paddle.no_grad():
            network(images)
        return sizes

    return measured
