"""An exported model in fewer bits: the file beside ``features.onnx``, and ``inference.yml``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.engines.onnx_files import features_file, features_name
from toolkit.inference.precision.fp16 import write_fp16
from toolkit.inference.precision.int8 import write_int8
from toolkit.inference.preprocess import INFERENCE_FILE
from toolkit.storage import atomic_path, write_text

Lowered = Literal["fp16", "int8"]


def lower_precision(
    directory: Path, precision: Lowered, images: NDArray[np.uint8] | None = None
) -> Path:
    """Makes the ONNX engines run an exported model in fewer bits from now on.

    Args:
        directory: an export with ``features.onnx``; its other files stay, Paddle goes on in fp32.
        precision: what to compute in.
        images: uint8 RGB [n, h, w, 3] of the network's input size, to calibrate int8 on.

    Returns:
        The file that was written.

    Raises:
        ModelError: there is no ``features.onnx``.
        ExtraError: a package that it needs is not installed.
        ValueError: int8 without images.

    Example:
        >>> lower_precision(Path("output/best_model/inference"), "int8", pictures)
    """
    source = features_file(directory, "fp32")
    if precision == "int8" and images is None:
        raise ValueError("int8 needs images to calibrate on.")
    target = directory / features_name(precision)
    with atomic_path(target) as temporary:
        if images is not None and precision == "int8":
            write_int8(source, temporary, images)
        else:
            write_fp16(source, temporary)
    note_facts(directory, {"precision": precision}, {target.name: fingerprint_file(target)})
    return target


def note_facts(
    directory: Path, facts: Mapping[str, Any], files: Mapping[str, str] | None = None
) -> None:
    """Adds to the section Toolkit of ``inference.yml``.

    Args:
        directory: an export of ours.
        facts: plain values by name.
        files: fingerprints by file name, of files that now belong to the export.

    Raises:
        ModelError: ``inference.yml`` is not there, or is not of an export of ours.
    """
    file = directory / INFERENCE_FILE
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        section = document["Toolkit"]
        section["files"] = {**section.get("files", {}), **(files or {})}
        section.update(facts)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} is not of an export of this toolkit, or is damaged "
            f"({type(error).__name__}: {error}); export the model again with Global.mode=export."
        ) from error
    write_text(file, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
