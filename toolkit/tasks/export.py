"""Mode export: a checkpoint as files that PaddleX and predict open."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.embedding import build_exporter
from toolkit.build.model import build_recognizer, checkpoint_weights, load_trained
from toolkit.build.recipe import require_recipe
from toolkit.config.schema import Config
from toolkit.inference.export import ExportReport


@dataclass(frozen=True)
class ExportOutcome:
    """The outcome of an export.

    Attributes:
        weights: the file that was exported.
        exported: what was written.
    """

    weights: Path
    exported: ExportReport

    @property
    def passed(self) -> bool:
        """An export that differs from the network is an error, not a report."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns what was written, and how close it is to the network."""
        report = self.exported
        return {
            "model_name": report.model_name,
            "model_dir": str(report.directory),
            "dimension": report.dimension,
            "image_size": list(report.image_size),
            "lowest_cosine": report.lowest_cosine,
            "weights": str(self.weights),
            "fingerprint": report.weights,
        }

    def summary(self) -> str:
        """Returns the files and the check."""
        report = self.exported
        files = ("inference.json", "inference.pdiparams", "inference.yml")
        return "\n".join(
            [
                f"Exported {report.model_name} ({report.dimension}-d, input "
                f"{report.image_size[0]} x {report.image_size[1]}) from {self.weights}.",
                f"Its features agree with the network's: lowest cosine {report.lowest_cosine:.7f}.",
                *(f"  {report.directory / name}" for name in files),
            ]
        )


def run(config: Config) -> ExportOutcome:
    """Exports a checkpoint into ``Global.output``.

    Raises:
        WeightsError: the checkpoint cannot be read, or is of another network.
        ModelError: the exported graph does not compute what the network does.
    """
    arch = require_recipe(config).arch
    output = Path(config.Global.output)
    weights = checkpoint_weights(config.Export.weight_path, output)
    model = build_recognizer(arch, num_classes=None)
    load_trained(model, weights)
    return ExportOutcome(weights, build_exporter(config, model)(output))
