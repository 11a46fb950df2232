"""Which ONNX file of an export an engine runs."""

from pathlib import Path

from toolkit.errors import ModelError

INTERCHANGE_FILE = "inference.onnx"
"""The graph as PaddleX expects it: normalised float input, features as the neck gives them."""
FEATURES_FILE = "features.onnx"
"""The graph that our engines run: bytes in, unit vectors out."""
INPUT, OUTPUT = "images", "features"
"""Names of what goes into `FEATURES_FILE` and of what comes out."""


def features_name(precision: str) -> str:
    """Returns the name of the file that computes in a precision: ``fp32``, ``fp16`` or ``int8``."""
    return FEATURES_FILE if precision == "fp32" else f"features.{precision}.onnx"


def features_file(directory: Path, precision: str) -> Path:
    """Returns the file that computes in a precision.

    Raises:
        ModelError: the export has none; the message says how to get it.
    """
    file = directory / features_name(precision)
    if not file.is_file():
        raise ModelError(
            f"{str(directory)!r} has no {file.name}, which the engines onnxruntime and openvino "
            "run. Export the model again with Global.mode=export and Export.onnx=true (it needs "
            "paddle2onnx), or use the engine paddle."
        )
    return file
