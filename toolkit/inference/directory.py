"""A folder with an exported model: finding it, and opening it as a predictor."""

from pathlib import Path
from typing import Literal

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.cards.weight_sources import EXPORT_PLACES
from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.engines.engine import open_engine
from toolkit.inference.predictor import Predictor
from toolkit.inference.preprocess import (
    INFERENCE_FILE,
    InferenceConfig,
    read_inference_config,
    with_bilinear_resize,
)
from toolkit.runtime import cores_allowed, resolve_device


def find_export(directory: Path) -> Path:
    """Returns the folder with ``inference.yml``: this one, or the one in a training output.

    Raises:
        ModelError: it is not there; the message says where it was looked for.
    """
    if not directory.is_dir():
        what = "is a file" if directory.exists() else "does not exist"
        raise ModelError(
            f"{str(directory)!r} {what}; expected the folder of an exported model "
            f"(with {INFERENCE_FILE}) or the output folder of a training run."
        )
    for place in EXPORT_PLACES:
        if (directory / place / INFERENCE_FILE).is_file():
            return directory / place
    looked = ", ".join(repr(str(directory / place)) for place in EXPORT_PLACES)
    raise ModelError(
        f"There is no exported model in {str(directory)!r}: no {INFERENCE_FILE} in {looked}. "
        "Run the mode export, or give the folder that it wrote."
    )


def open_predictor(
    directory: Path,
    *,
    model_name: str | None = None,
    device: str = "auto",
    engine: str = "paddle",
    batch_size: int = 1,
    threads: int | None = None,
    resize: Literal["as_trained", "bilinear"] = "as_trained",
) -> Predictor:
    """Opens an exported model.

    Args:
        directory: the export, or the output folder of a training run.
        model_name: what the model should be called; None takes any.
        device: ``auto | cpu | gpu | gpu:0``; a GPU that is not there means the CPU.
        engine: what runs the graph; a name of ``ENGINES``.
        batch_size: pictures a forward pass where `predict` is not told otherwise.
        threads: CPU threads; None takes all the cores allowed.
        resize: ``as_trained`` is what ``inference.yml`` says; ``bilinear`` is what PaddleX does
            with any model.

    Raises:
        ModelError: it is not there, not complete, or another model.
        DeviceError: the device is malformed.
        ConfigError: there is no such engine.
        ExtraError: PaddlePaddle is not installed.
        ValueError: `batch_size` or `threads` is below 1, or `resize` is none of the two.
    """
    if resize not in ("as_trained", "bilinear"):
        raise ValueError(f"resize is {resize!r}; it must be 'as_trained' or 'bilinear'.")
    threads = cores_allowed() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be 1 or more.")
    export = find_export(directory)
    config = read_checked_config(export)
    if model_name is not None and model_name != config.model_name:
        raise ModelError(
            f"The model in {str(export)!r} is {config.model_name!r}, not {model_name!r}. Ask for "
            f"that name, or open the folder whatever its name: create_model({str(export)!r})."
        )
    pipeline = config.pipeline if resize == "as_trained" else with_bilinear_resize(config.pipeline)
    return Predictor(
        config.model_name,
        pipeline,
        open_engine(engine, export, resolve_device(device), threads),
        batch_size=batch_size,
        workers=cores_allowed(),
    )


def read_checked_config(export: Path) -> InferenceConfig:
    """Reads ``inference.yml`` and checks that the parameters beside it are the ones it means.

    Raises:
        ModelError: it is missing or not what it should be, or belongs to other parameters.
    """
    config = read_inference_config(export)
    file = export / PARAMETER_FILE
    if config.weights is None or not file.is_file():  # the engine will say what is missing
        return config
    found = fingerprint_file(file)
    if found != config.weights:
        raise ModelError(
            f"{file} has the fingerprint {found} and {INFERENCE_FILE} was written for "
            f"{config.weights}: files of two exports are mixed. Export the model again."
        )
    return config
