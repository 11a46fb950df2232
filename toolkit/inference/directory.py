"""A folder with an exported model: finding it, and opening it as a predictor."""

from pathlib import Path
from typing import Literal

from toolkit.cards.weight_sources import EXPORT_PLACES
from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.engines.devices import machine_device
from toolkit.inference.engines.engine import (
    AUTO,
    Engine,
    choose_engine,
    files_of_engine,
    open_engine,
)
from toolkit.inference.predictor import Predictor
from toolkit.inference.preprocess import (
    INFERENCE_FILE,
    InferenceConfig,
    read_inference_config,
    with_bilinear_resize,
)
from toolkit.runtime import cores_allowed


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


def open_predictor(  # noqa: PLR0913 - the options of create_model, by keyword
    directory: Path,
    *,
    model_name: str | None = None,
    device: str = "auto",
    engine: str = "auto",
    batch_size: int = 1,
    threads: int | None = None,
    resize: Literal["as_trained", "bilinear"] = "as_trained",
    decode: Literal["fast", "exact"] = "fast",
) -> Predictor:
    """Opens an exported model.

    Args:
        directory: the export, or the output folder of a training run.
        model_name: what the model should be called; None takes any.
        device: ``auto | cpu | gpu | gpu:0``; a GPU that is not there means the CPU.
        engine: what runs the graph; a name of ``ENGINES``, or ``auto`` for the fastest installed.
        batch_size: pictures a forward pass where `predict` is not told otherwise.
        threads: CPU threads; None takes all the cores allowed.
        resize: ``as_trained`` is what ``inference.yml`` says; ``bilinear`` is what PaddleX does
            with any model.
        decode: see `Predictor`.

    Raises:
        ModelError: it is not there, not complete, or another model.
        DeviceError: the device is malformed.
        ConfigError: there is no such engine.
        ExtraError: the engine's package is not installed.
        ValueError: `batch_size` or `threads` is below 1, or `resize` or `decode` is no choice.
    """
    if resize not in ("as_trained", "bilinear"):
        raise ValueError(f"resize is {resize!r}; it must be 'as_trained' or 'bilinear'.")
    threads = cores_allowed() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be 1 or more.")
    export = find_export(directory)
    config = read_inference_config(export)
    if model_name is not None and model_name != config.model_name:
        raise ModelError(
            f"The model in {str(export)!r} is {config.model_name!r}, not {model_name!r}. Ask for "
            f"that name, or open the folder whatever its name: create_model({str(export)!r})."
        )
    pipeline = config.pipeline if resize == "as_trained" else with_bilinear_resize(config.pipeline)
    return Predictor(
        config.model_name,
        pipeline,
        open_checked(export, config, engine=engine, device=device, threads=threads),
        batch_size=batch_size,
        workers=threads,
        decode=decode,
    )


def open_checked(
    export: Path, config: InferenceConfig, *, engine: str, device: str, threads: int
) -> Engine:
    """Opens an exported model after a look at whether its files belong together.

    Only the files that the engine opens are read.

    Args:
        export: the folder.
        config: what its ``inference.yml`` says.
        engine: a name of ``ENGINES``, or ``auto``.
        device: ``auto | cpu | gpu | gpu:0``.
        threads: CPU threads.

    Raises:
        ModelError: a file is missing, damaged, or of another export.
        DeviceError: the device is malformed.
        ConfigError: there is no such engine.
        ExtraError: the engine's package is not installed.
    """
    found = machine_device(device)
    name = choose_engine(export, found, config.precision) if engine == AUTO else engine
    for file in files_of_engine(name, config.precision):
        expected = config.files.get(file)
        if expected is None or not (export / file).is_file():
            continue  # the engine will say what is missing
        if (fingerprint := fingerprint_file(export / file)) != expected:
            raise ModelError(
                f"{export / file} has the fingerprint {fingerprint} and {INFERENCE_FILE} was "
                f"written for {expected}: files of two exports are mixed. Export the model again."
            )
    return open_engine(name, export, found, threads, config.precision)
