"""What a worker of an extraction opens; it stands apart, so that workers load no configuration."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toolkit.build.model_to_open import ModelToOpen, OpenModel
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.extraction.extractor import Extractor
from toolkit.extraction.timing import StageTimes
from toolkit.fingerprint import fingerprint_bytes, fingerprint_file
from toolkit.inference.directory import open_checked
from toolkit.inference.engines.custom import CustomEngine, load_class
from toolkit.inference.engines.engine import Engine, Stream, files_of_engine
from toolkit.inference.pipeline import FeaturePipeline
from toolkit.inference.preprocess import read_inference_config


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

        files = _files_of(self.path)
        source = inspect.getsource(inspect.getmodule(load_class(self.location)) or self.open)
        return {
            "name": self.location,
            "source": _fingerprint(source),
            "weights": "+".join(fingerprint_file(file) for file in files),
            "options": _fingerprint(self.options),
        }


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


def _files_of(path: str) -> list[Path]:
    """Files below a path; none where no path is given: an empty one is not this folder."""
    if not path:
        return []
    found = [Path(path), *sorted(Path(path).rglob("*"))]
    return [file for file in found if file.is_file()]


def _fingerprint(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return fingerprint_bytes(text.encode())
