"""From a configuration and a network to a function of paths: its features, and its export."""

from collections.abc import Callable
from pathlib import Path

from toolkit.build.transforms import build_pipeline, image_size
from toolkit.config.schema import Config
from toolkit.evaluation.trial import Embed
from toolkit.inference.embed import EmbeddedPaths, embed_paths
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.export import ExportReport, export_inference
from toolkit.inference.preprocess import inference_document
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import cores_allowed


def build_embedder(config: Config, model: Recognizer) -> Embed:
    """Returns paths -> features of the network as it stands when it is called."""
    pipeline = build_pipeline(config.Data.eval_transforms)
    engine = NetworkEngine(model)

    def embed(paths: list[Path]) -> EmbeddedPaths:
        return embed_paths(
            engine.run,
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
