"""From the section Extract to what opens a model in a worker, and to what that model is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toolkit.build.model_to_open import ModelSource, ModelToOpen, OpenModel
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
) -> "OpenInWorker":
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
        model = self.model.open()
        pipeline = FeaturePipeline(
            _TimedEngine(model.engine, times),
            model.steps,
            workers=self.workers,
            normalise=self.normalise,
            by_position=True,
            queue_size=self.queue_size,
        )
        target = model.steps.target() if self.shrink else None
        return Extractor(
            lambda sources: pipeline.features(sources, self.batch_size), target, model.varying
        )


@dataclass(frozen=True)
class ExportedModel:
    """An exported model and the engine that runs it."""

    directory: Path
    engine: str
    device: str
    threads: int

    def open(self) -> OpenModel:
        """See `ModelToOpen`."""
        config = read_inference_config(self.directory)
        engine = open_checked(
            self.directory, config, engine=self.engine, device=self.device, threads=self.threads
        )
        return OpenModel(engine, config.pipeline)

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

    def open(self) -> OpenModel:
        """See `ModelToOpen`."""
        return OpenModel(CustomEngine(self.location, self.path, self.options), Pipeline([]))

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
