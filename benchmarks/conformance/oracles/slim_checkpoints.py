"""Checkpoints of TensorFlow-slim: what TensorFlow saves and computes, and what we read of it.

Every network of slim gets random weights and random statistics, is saved by TensorFlow in both of
its formats, and read, mapped and run by the toolkit. A line is a layer; TensorFlow is not needed on
our side.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.oracles._tf_slim import PEER
from benchmarks.conformance.seeded import seeded_images

__all__ = ["GOLDEN", "PEER", "WITHOUT_PINS", "compare"]
GOLDEN: tuple[str, ...] = ()
# Has slim's Inception-ResNet v2; what it converts between is not needed.
WITHOUT_PINS = ["mmdnn==0.3.1"]


def compare(table: Comparison) -> None:
    """Compares the layer that Compute-Features takes, and the other end of each network."""
    from toolkit.cards.tensorflow_slim import SLIM_MODELS

    for model in SLIM_MODELS.values():
        with tempfile.TemporaryDirectory() as folder:
            _compare_model(table, model, Path(folder))


def _compare_model(table: Comparison, model: Any, folder: Path) -> None:
    import paddle

    from benchmarks.conformance.oracles._slim_networks import write_checkpoints
    from toolkit.cards.tensorflow_checkpoint import open_checkpoint
    from toolkit.compat.slim_network import build_slim

    images = seeded_images(side=model.side)
    theirs = write_checkpoints(model, images, folder)
    same = _fingerprints(folder / "v1.ckpt") == _fingerprints(folder / "v2.ckpt")
    table.failures += not same
    for number, (layer, output) in enumerate(theirs.items(), start=1):
        checkpoint = open_checkpoint(folder / f"v{number}.ckpt")
        ours = build_slim(model, layer, checkpoint)
        tensors = str(len(ours.state_dict())) if same else "DIFFER"
        with paddle.no_grad():
            table.line(f"{model.name} {layer}", tensors, ours(paddle.to_tensor(images)), output)


def _fingerprints(path: Path) -> dict[str, bytes]:
    """Returns the fingerprint of every variable: both formats must hold the same."""
    from toolkit.cards.tensorflow_checkpoint import open_checkpoint

    checkpoint = open_checkpoint(path)
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
        for name, array in checkpoint.arrays(list(checkpoint.variables))
    }
