"""Mode export: a checkpoint as files that PaddleX and predict open."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.embedding import build_exporter
from toolkit.build.fetching import fetch_options
from toolkit.build.model import build_network, checkpoint_weights, load_trained
from toolkit.build.precision import PrecisionReport, build_lowering
from toolkit.cards.weights import read_weights, write_weights
from toolkit.config.schema import Config
from toolkit.inference.export import ExportReport


@dataclass(frozen=True)
class ExportOutcome:
    """The outcome of an export.

    Attributes:
        weights: the file that was exported.
        exported: what was written.
        copied: the same weights as one file of another format; None if that was not asked for.
        lowered: what fewer bits cost; None for fp32.
    """

    weights: Path
    exported: ExportReport
    copied: Path | None = None
    lowered: PrecisionReport | None = None

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
            "cosines": dict(report.cosines),
            "weights": str(self.weights),
            "fingerprint": report.weights,
            "copied": None if self.copied is None else str(self.copied),
            **({"precision": "fp32"} if self.lowered is None else self.lowered.to_json()),
        }

    def summary(self) -> str:
        """Returns the files and the check."""
        report = self.exported
        files = [report.directory / name for name in report.files]
        engines = ", ".join(f"{name} {cosine:.7f}" for name, cosine in report.cosines.items())
        files += [] if self.copied is None else [self.copied]
        return "\n".join(
            [
                f"Exported {report.model_name} ({report.dimension}-d, input "
                f"{report.image_size[0]} x {report.image_size[1]}) from {self.weights}.",
                f"Its features agree with the network's: lowest cosine {engines}.",
                *([] if self.lowered is None else self.lowered.summary_lines()),
                *(f"  {file}" for file in files),
            ]
        )


def run(config: Config) -> ExportOutcome:
    """Exports a checkpoint into ``Global.output``.

    With ``Export.weights``, all of its weights, the class head included, also go into
    ``<Global.output>/<Global.model>.<suffix>``.

    Raises:
        WeightsError: the checkpoint cannot be read, or is of another network.
        ModelError: the exported graph does not compute what the network does.
        RecallDropError: it finds too little in `Export.precision`.
        DatasetError: a list on which that is calibrated or measured is not there.
    """
    output = Path(config.Global.output)
    lowering = build_lowering(config)
    weights = checkpoint_weights(
        config.Export.weight_path,
        output,
        fetch_options(config),
        averaged=config.Export.averaged,
    )
    model = build_network(config, num_classes=None)
    load_trained(model, weights)
    if lowering is None:
        exported, lowered = build_exporter(config, model)(output), None
    else:
        exported, lowered = lowering.export(model, output)
    return ExportOutcome(weights, exported, _copy(config, weights), lowered)


def _copy(config: Config, weights: Path) -> Path | None:
    """Writes the weights in the format that was asked for."""
    suffix = config.Export.weights
    if suffix is None:
        return None
    file = Path(config.Global.output) / f"{config.Global.model}.{suffix}"
    write_weights(file, read_weights(weights))
    return file
