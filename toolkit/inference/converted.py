"""The official models as ONNX: they are published for Paddle, and converted here, once."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.errors import ModelError
from toolkit.fetch.lock import locked
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.agreement import check_engines, check_images
from toolkit.inference.engines.devices import machine_device
from toolkit.inference.engines.engine import AUTO, ONNX_ENGINES, is_installed, open_engine
from toolkit.inference.engines.onnx_files import FEATURES_FILE, INTERCHANGE_FILE
from toolkit.inference.preprocess import (
    INFERENCE_FILE,
    read_document,
    read_inference_config,
    read_section,
)
from toolkit.runtime import Device, cores_allowed
from toolkit.storage import atomic_directory, write_text

_LOG = logging.getLogger(__name__)


def converted_folder(folder: Path, cache: Path, *, engine: str, device: str) -> Path:
    """Returns a folder that has ``features.onnx``, if the engine needs one and it can be made.

    Args:
        folder: a Paddle inference model.
        cache: where the converted models are, a folder each.
        engine: a name of ``ENGINES``; ``auto`` has the model converted if that is possible.
        device: ``auto | cpu | gpu | gpu:0``.

    Returns:
        `folder` itself if it has the file, or where nothing was converted; else the folder in the
        cache.

    Raises:
        ModelError: an ONNX engine is asked for and the model cannot be converted.
    """
    if not _needs_conversion(folder, engine, device):
        return folder
    target, source = cache / folder.name, _describe(folder)
    if _source(target) == source:
        return target
    if not _can_convert():
        return folder  # whatever is missing, the engine will say
    try:
        with locked(target):
            if _source(target) != source:
                _convert(folder, target, source)
    except (ModelError, OSError) as error:
        if engine != AUTO:
            raise
        _LOG.warning("%s is run by Paddle: %s", folder.name, error)
        return folder
    return target


def _needs_conversion(folder: Path, engine: str, device: str) -> bool:
    if engine not in (AUTO, *ONNX_ENGINES) or (folder / FEATURES_FILE).is_file():
        return False
    if engine == AUTO and machine_device(device).kind == "gpu":
        return False
    return (folder / PARAMETER_FILE).is_file()


def _can_convert() -> bool:
    there = [is_installed(name) for name in ("paddle", "paddle2onnx")]
    return all(there) and any(is_installed(name) for name in ONNX_ENGINES)


def _describe(folder: Path) -> dict[str, int]:
    """What tells that parameters are others, without reading them."""
    status = (folder / PARAMETER_FILE).stat()
    return {"size": status.st_size, "modified": status.st_mtime_ns}


def _source(target: Path) -> Any:
    """Returns what a converted model was made of; None where there is none."""
    if not (target / FEATURES_FILE).is_file():
        return None
    return read_section(read_document(target), "Toolkit").get("source")


def _convert(folder: Path, target: Path, source: dict[str, int]) -> None:
    """Writes ``features.onnx`` and an ``inference.yml`` that knows it, checked beside Paddle.

    Raises:
        ModelError: it cannot be converted, or the engines do not compute what Paddle does.
    """
    from toolkit.inference.onnx_export import write_onnx_files

    _LOG.info("Converting %s to ONNX in %s, once.", folder.name, target)
    steps = read_inference_config(folder).pipeline
    height, width = steps.geometry()(
        np.zeros((512, 512, 3), np.uint8), np.random.default_rng(0)
    ).shape[:2]
    images = check_images((height, width), steps)
    paddle = open_engine("paddle", folder, Device("cpu"), cores_allowed())
    with atomic_directory(target) as temporary:
        write_onnx_files(folder, temporary, steps)
        (temporary / INTERCHANGE_FILE).unlink()
        check_engines(temporary, images, paddle.run(images.tensors))
        files = {FEATURES_FILE: fingerprint_file(temporary / FEATURES_FILE)}
        document = {**read_document(folder), "Toolkit": {"source": source, "files": files}}
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        write_text(temporary / INFERENCE_FILE, text)
