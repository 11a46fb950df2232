"""From a configuration and a network to a function of paths: its features, and its export."""

from collections.abc import Callable
from pathlib import Path

from toolkit.build.transforms import build_pipeline, image_size
from toolkit.config.schema import Config
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.evaluation.trial import Embed
from toolkit.inference.directory import open_checked
from toolkit.inference.embed import EmbeddedPaths, embed_paths
from toolkit.inference.engines.devices import machine_device
from toolkit.inference.engines.engine import Engine, open_engine
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.export import ExportReport, export_inference
from toolkit.inference.preprocess import (
    INFERENCE_FILE,
    inference_document,
    read_inference_config,
)
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import cores_allowed


def build_embedder(config: Config, model: Recognizer) -> Embed:
    """Returns paths -> features of the network as it stands when it is called."""
    return _embedder(config, NetworkEngine(model), build_pipeline(config.Data.eval_transforms))


def build_export_embedder(config: Config, directory: Path) -> Embed:
    """Returns paths -> features of an inference model, prepared as its ``inference.yml`` says.

    Exports of Paddle 2 have no ``inference.yml``; there the evaluation transforms stand in.

    Raises:
        ModelError: the model is not complete or cannot be read.
    """
    device, engine, threads = config.Global.device, config.Evaluate.engine, cores_allowed()
    if (directory / INFERENCE_FILE).is_file():
        written = read_inference_config(directory)
        opened = open_checked(directory, written, engine=engine, device=device, threads=threads)
        return _embedder(config, opened, written.pipeline)
    opened = open_engine(engine, directory, machine_device(device), threads)
    return _embedder(config, opened, build_pipeline(config.Data.eval_transforms))


def _embedder(config: Config, engine: Engine, pipeline: Pipeline) -> Embed:
    def embed(paths: list[Path]) -> EmbeddedPaths:
        return embed_paths(
            engine,
            paths,
            pipeline,
            batch_size=config.Evaluate.batch_size,
            workers=cores_allowed(),
            decode=config.Evaluate.decode,
        )

    return embed


def _layer(config: Config, model: Recognizer) -> str:
    """Returns what gives the feature of a network."""
    if config.Train.adapter is not None:
        return f"{config.Train.adapter} adapter"
    return "backbone" if model.neck is None else "neck"


def build_exporter(config: Config, model: Recognizer) -> Callable[[Path], ExportReport]:
    """Returns folder -> exported model, of the network as it stands when it is called.

    Raises:
        ConfigError: the evaluation transforms set no size.
        ModelError: they cannot be written into ``inference.yml``.
    """
    parts = config.Data.eval_transforms
    steps = build_pipeline(parts).describe()
    # Found out now and not at the end of a long run.
    size = image_size(parts)
    inference_document(config.Global.model, steps, {})

    def export(folder: Path) -> ExportReport:
        return export_inference(
            model,
            folder,
            model_name=config.Global.model,
            image_size=size,
            transform_ops=steps,
            facts={"layer": _layer(config, model)},
            onnx=config.Export.onnx,
        )

    return export
