"""From a configuration and a network to a function of paths: its features, and its export."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.build.transforms import build_pipeline, image_size
from toolkit.config.schema import Config
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.evaluation.trial import Embed
from toolkit.inference.directory import read_checked_config
from toolkit.inference.embed import EmbeddedPaths, embed_paths
from toolkit.inference.engines.engine import open_engine
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.export import ExportReport, export_inference
from toolkit.inference.preprocess import INFERENCE_FILE, inference_document
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import cores_allowed, resolve_device


def build_embedder(config: Config, model: Recognizer) -> Embed:
    """Returns paths -> features of the network as it stands when it is called."""
    return _embedder(config, NetworkEngine(model).run, build_pipeline(config.Data.eval_transforms))


def build_export_embedder(config: Config, directory: Path) -> Embed:
    """Returns paths -> features of an inference model, prepared as its ``inference.yml`` says.

    Exports of Paddle 2 have no ``inference.yml``; there the evaluation transforms stand in.

    Raises:
        ModelError: the model is not complete or cannot be read.
    """
    device = resolve_device(config.Global.device)
    engine = open_engine("paddle", directory, device, cores_allowed())
    if (directory / INFERENCE_FILE).is_file():
        pipeline = read_checked_config(directory).pipeline
    else:
        pipeline = build_pipeline(config.Data.eval_transforms)
    return _embedder(config, engine.run, pipeline)


def _embedder(
    config: Config, run: Callable[[NDArray[np.float32]], NDArray[np.float32]], pipeline: Pipeline
) -> Embed:
    def embed(paths: list[Path]) -> EmbeddedPaths:
        return embed_paths(
            run,
            paths,
            pipeline,
            batch_size=config.Evaluate.batch_size,
            workers=cores_allowed(),
        )

    return embed


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
        )

    return export
