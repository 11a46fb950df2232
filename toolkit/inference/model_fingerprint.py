"""Which model made a vector: one short name for the weights and all that happens to a picture."""

import json
from pathlib import Path

from toolkit.fingerprint import fingerprint_bytes, fingerprint_file
from toolkit.inference.directory import find_export
from toolkit.inference.engines.engine import files_of_engine
from toolkit.inference.preprocess import read_inference_config


def model_fingerprint(directory: Path) -> str:
    """Returns the fingerprint of an exported model: its weights and its preprocessing.

    Engines that run the same weights give the same vectors but for the last digits, so they are
    one model.

    Args:
        directory: the export, or the output folder of a training run.

    Raises:
        ModelError: it is no export.
    """
    export = find_export(directory)
    config = read_inference_config(export)
    names = [*files_of_engine("paddle", config.precision)]
    if not all((export / name).is_file() for name in names):
        names = [*files_of_engine("onnxruntime", config.precision)]
    weights = "+".join(fingerprint_file(export / name) for name in names)
    return made_by(weights, fingerprint_bytes(_json(config.pipeline.describe())))


def made_by(weights: object, preprocessing: object) -> str:
    """Returns the fingerprint of a model from those of its weights and its preprocessing."""
    return fingerprint_bytes(_json({"weights": weights, "preprocessing": preprocessing}))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
