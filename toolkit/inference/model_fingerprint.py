"""Which model made a vector: one short name for the weights and all that happens to a picture."""

import json
from pathlib import Path

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_bytes, fingerprint_file
from toolkit.inference.engines.onnx_files import features_name
from toolkit.inference.preprocess import read_inference_config


def model_fingerprint(export: Path) -> str:
    """Returns the fingerprint of an exported model, the same whichever engine runs it.

    Args:
        export: folder with ``inference.yml``.

    Raises:
        ModelError: it is no export, or has no weights.
    """
    config = read_inference_config(export)
    weights = config.weights
    if weights is None:
        files = (PARAMETER_FILE, features_name(config.precision))
        there = [export / name for name in files if (export / name).is_file()]
        if not there:
            raise ModelError(f"{export} has no weights: neither of {', '.join(files)} is there.")
        weights = fingerprint_file(there[0])
    said = [weights, config.precision, config.pipeline.describe()]
    return fingerprint_bytes(json.dumps(said, sort_keys=True, default=str).encode())
