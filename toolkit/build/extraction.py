"""From the section Extract to what opens a model in a worker, and to what that model is.

A named layer (Extract.feature_name) is one more `ModelToOpen`: see `model_to_open`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from toolkit.config.extract_section import ExtractSection
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError
from toolkit.extraction.extractor import Extractor
from toolkit.extraction.timing import StageTimes
from toolkit.fingerprint import fingerprint_bytes, fingerprint_file
from toolkit.inference.directory import find_export, open_checked
from toolkit.inference.engines.custom import CustomEngine, load_class
from toolkit.inference.engines.devices import machine_device
from toolkit.inference.engines.engine import (
    AUTO,
    ONNX_ENGINES,
    Engine,
    Stream,
    choose_engine,
    files_of_engine,
)
from toolkit.inference.pipeline import FeaturePipeline
from toolkit.inference.preprocess import read_inference_config

EMBEDDING = "feature"
"""The layer that every exported model has."""


class ModelToOpen(Protocol):
    """A model that is known and not open yet; it is sent to workers, so it holds no network."""

    def open(self) -> tuple[Engine, Pipeline]:
        """Returns the network, and the steps from RGB pixels to what it takes.

        Raises:
            ToolkitError: it cannot be opened.
        """

    def identity(self) -> dict[str, Any]:
        """Returns what decides on its features: names and fingerprints."""


def model_to_open(
    section: ExtractSection, directory: Callable[[], Path], device: str
) -> ModelToOpen:
    """Returns the model that a section names.

    Args:
        section: Extract.
        directory: finds the exported model; called only where one is wanted.
        device: ``auto | cpu | gpu | gpu:0``.

    Raises:
        ToolkitError: there is no such model.
    """
    if section.predictor is not None:
        load_class(section.predictor)  # a wrong name is an error here and not in a worker
        path = "" if section.model_dir in (None, "auto") else str(section.model_dir)
        return CustomModel(section.predictor, path, section.predictor_options)
    if section.feature_name != EMBEDDING:
        raise ConfigError(
            f"Extract.feature_name is {section.feature_name!r}; this version knows "
            f"{EMBEDDING!r}, the embedding of an exported model."
        )
    if section.pool != "none" or section.weights != "auto":
        raise ConfigError(
            f"Extract.pool is {section.pool!r} and Extract.weights {section.weights!r}, which are "
            f"for named layers; with Extract.feature_name {EMBEDDING!r} leave both out."
        )
    return _exported(section, find_export(directory()), device)


def open_in_worker(section: ExtractSection, model: ModelToOpen) -> "OpenInWorker":
    """Returns what a worker calls to open the model."""
    return OpenInWorker(
        model,
        batch_size=section.batch_size,
        workers=section.read_threads,
        queue_size=section.queue_size,
        normalise=section.l2_normalise,
        shrink=section.decode == "fast",
    )


def identity_of(section: ExtractSection, model: ModelToOpen) -> dict[str, Any]:
    """Returns all that decides on the bits of a feature, and nothing else."""
    return {
        **model.identity(),
        "layer": section.feature_name,
        "pool": section.pool,
        "l2_normalise": section.l2_normalise,
        "dtype": section.dtype,
        "decode": section.decode,
        "batch_size": section.batch_size,
        "threads": section.predict_threads,
    }


@dataclass(frozen=True)
class OpenInWorker:
    """Opens a model with the pipeline around it; see `toolkit.extraction.worker.Opener`."""

    model: ModelToOpen
    batch_size: int
    workers: int
    queue_size: int
    normalise: bool
    shrink: bool

    def __call__(self, times: StageTimes) -> Extractor:
        """Opens the model; seconds of the network go into `times`."""
        engine, steps = self.model.open()
        pipeline = FeaturePipeline(
            _TimedEngine(engine, times),
            steps,
            workers=self.workers,
            normalise=self.normalise,
            by_position=True,
            queue_size=self.queue_size,
        )
        target = steps.target() if self.shrink else None
        return Extractor(lambda sources: pipeline.features(sources, self.batch_size), target)


@dataclass(frozen=True)
class ExportedModel:
    """An exported model and the engine that runs it."""

    directory: Path
    engine: str
    device: str
    threads: int

    def open(self) -> tuple[Engine, Pipeline]:
        """See `ModelToOpen`."""
        config = read_inference_config(self.directory)
        engine = open_checked(
            self.directory, config, engine=self.engine, device=self.device, threads=self.threads
        )
        return engine, config.pipeline

    def identity(self) -> dict[str, Any]:
        """See `ModelToOpen`."""
        config = read_inference_config(self.directory)
        files = files_of_engine(self.engine, config.precision)
        return {
            "name": config.model_name,
            "weights": "+".join(fingerprint_file(self.directory / file) for file in files),
            "preprocessing": _fingerprint(config.pipeline.describe()),
            "engine": self.engine,
            "device": self.device,
        }


@dataclass(frozen=True)
class CustomModel:
    """A class of the user's."""

    location: str
    path: str
    options: Mapping[str, Any] | None

    def open(self) -> tuple[Engine, Pipeline]:
        """See `ModelToOpen`."""
        return CustomEngine(self.location, self.path, self.options), Pipeline([])

    def identity(self) -> dict[str, Any]:
        """See `ModelToOpen`."""
        import inspect

        path = Path(self.path)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        source = inspect.getsource(inspect.getmodule(load_class(self.location)) or self.open)
        return {
            "name": self.location,
            "source": _fingerprint(source),
            "weights": "+".join(fingerprint_file(file) for file in files if file.is_file()),
            "options": _fingerprint(self.options),
        }


def _exported(section: ExtractSection, directory: Path, device: str) -> ExportedModel:
    """Decides on engine and device here, once for all workers."""
    found = machine_device(device)
    config = read_inference_config(directory)
    engine: str = section.engine
    if engine == AUTO and section.l2_normalise:
        engine = choose_engine(directory, found, config.precision)
    elif engine == AUTO:
        engine = "paddle"
    if engine in ONNX_ENGINES and not section.l2_normalise:
        raise ConfigError(
            f"Extract.l2_normalise is false and Extract.engine is {engine!r}, whose file "
            "normalises: set engine to paddle or auto, or l2_normalise to true."
        )
    return ExportedModel(directory.absolute(), engine, found.paddle_name, section.predict_threads)


class _TimedEngine:
    """An engine whose time is taken."""

    def __init__(self, engine: Engine, times: StageTimes) -> None:
        self._engine, self._times = engine, times
        self.takes = engine.takes

    def run(self, images: Any) -> NDArray[Any]:
        """See `Engine`."""
        return self._timed(self._engine.run)(images)

    def streams(self) -> Sequence[Stream]:
        """See `Engine`."""
        return [self._timed(stream) for stream in self._engine.streams()]

    def _timed(self, stream: Stream) -> Stream:
        def run(images: Any) -> NDArray[Any]:
            with self._times.of("network"):
                return stream(images)

        return run


def _fingerprint(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return fingerprint_bytes(text.encode())
