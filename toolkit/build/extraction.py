"""From the section Extract to what opens a model in a worker, and to what that model is."""

from pathlib import Path
from typing import Any

from toolkit.build.model_to_open import ModelSource, ModelToOpen
from toolkit.build.worker_model import CustomModel, ExportedModel, OpenInWorker
from toolkit.config.extract_section import ExtractSection
from toolkit.errors import ConfigError
from toolkit.inference.directory import find_export
from toolkit.inference.engines.custom import load_class
from toolkit.inference.engines.devices import machine_device
from toolkit.inference.engines.engine import (
    AUTO,
    ONNX_ENGINES,
    choose_engine,
)
from toolkit.inference.preprocess import read_inference_config

EMBEDDING = "feature"
"""The layer that every exported model has."""
_READERS_OVER_NETWORK = 8


def model_to_open(section: ExtractSection, source: ModelSource) -> ModelToOpen:
    """Returns the model that a section names.

    Args:
        section: Extract.
        source: where it comes from.

    Raises:
        ToolkitError: there is no such model.
    """
    if section.predictor is not None:
        load_class(section.predictor)  # a wrong name is an error here and not in a worker
        path = "" if section.model_dir in (None, "auto") else str(section.model_dir)
        return CustomModel(section.predictor, path, section.predictor_options)
    if (section.feature_name, section.pool, section.weights) != (EMBEDDING, "none", AUTO):
        from toolkit.build.named_layer import named_layer

        return named_layer(section, source)
    return _exported(section, find_export(source.directory()), source.device)


def normalises(section: ExtractSection) -> bool:
    """Tells whether features are scaled to length 1."""
    if section.l2_normalise is None:
        return section.feature_name == EMBEDDING
    return section.l2_normalise


def open_in_worker(
    section: ExtractSection, model: ModelToOpen, *, over_network: bool
) -> OpenInWorker:
    """Returns what a worker calls to open the model.

    Args:
        section: Extract.
        model: what is opened.
        over_network: whether pictures are waited for, and not only decoded.
    """
    readers = section.read_threads
    if readers == "auto":
        readers = _READERS_OVER_NETWORK if over_network else 1
    return OpenInWorker(
        model,
        batch_size=section.batch_size,
        workers=readers,
        queue_size=section.queue_size,
        normalise=normalises(section),
        shrink=section.decode == "fast",
    )


def identity_of(section: ExtractSection, model: ModelToOpen) -> dict[str, Any]:
    """Returns all that decides on the bits of a feature, and nothing else."""
    return {
        **model.identity(),
        "layer": section.feature_name,
        "pool": section.pool,
        "l2_normalise": normalises(section),
        "dtype": section.dtype,
        "decode": section.decode,
        "batch_size": section.batch_size,
        "threads": section.predict_threads,
    }


def _exported(section: ExtractSection, directory: Path, device: str) -> ExportedModel:
    """Decides on engine and device here, once for all workers."""
    found = machine_device(device)
    config = read_inference_config(directory)
    engine: str = section.engine
    if engine == AUTO and normalises(section):
        engine = choose_engine(directory, found, config.precision)
    elif engine == AUTO:
        engine = "paddle"
    if engine in ONNX_ENGINES and not normalises(section):
        raise ConfigError(
            f"Extract.l2_normalise is false and Extract.engine is {engine!r}, whose file "
            "normalises: set engine to paddle or auto, or l2_normalise to true."
        )
    return ExportedModel(directory.absolute(), engine, found.paddle_name, section.predict_threads)
