"""From Export.precision to an export in fewer bits that was measured before it was published."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.build.calibration import read_calibration_images
from toolkit.build.embedding import build_export_embedder, build_exporter
from toolkit.build.evaluation import build_trial
from toolkit.config.schema import Config
from toolkit.errors import ConfigError, DatasetError, RecallDropError
from toolkit.evaluation.recall_change import RecallChange, recall_change
from toolkit.evaluation.retrieval_result import RetrievalResult
from toolkit.evaluation.trial import RetrievalTrial
from toolkit.inference.engines.engine import installed_onnx_engines
from toolkit.inference.export import ExportReport, publish
from toolkit.inference.precision.lowering import lower_precision, note_facts
from toolkit.models.recognizer import Recognizer


@dataclass(frozen=True)
class PrecisionReport:
    """What fewer bits cost.

    Attributes:
        precision: ``fp16`` or ``int8``.
        engine: what computed both sides.
        calibration_images: pictures of train.txt that int8 was calibrated on; 0 for fp16.
        change: retrieval in fp32 and in the lower precision.
    """

    precision: str
    engine: str
    calibration_images: int
    change: RecallChange

    @property
    def recalls(self) -> dict[str, dict[str, float]]:
        """The numbers of both sides by precision."""
        return {"fp32": self.change.before, self.precision: self.change.after}

    def to_json(self) -> dict[str, Any]:
        """Returns both sides and their difference, for export_result.json."""
        return {
            "precision": self.precision,
            "precision_engine": self.engine,
            "calibration_images": self.calibration_images,
            "recalls": self.recalls,
            **self.change.to_json(),
        }

    def summary_lines(self) -> list[str]:
        """Returns both sides and their difference as text."""
        lines = [
            f"  {name}: recall@1 {numbers['recall1']:.4f}, recall@5 {numbers['recall5']:.4f}, "
            f"mAP {numbers['mAP']:.4f}"
            for name, numbers in self.recalls.items()
        ]
        return [f"Measured with the engine {self.engine}: {self.change.summary()}.", *lines]


class Lowering:
    """Exports in fewer bits, compares that with fp32, and publishes what passes.

    Args:
        config: with all that it takes.
        precision: what to compute in.
        trial: gallery and query.
        images: uint8 RGB [n, h, w, 3] to calibrate int8 on; None for fp16.
    """

    def __init__(
        self,
        config: Config,
        precision: Literal["fp16", "int8"],
        trial: RetrievalTrial,
        images: NDArray[np.uint8] | None,
    ) -> None:
        self._config, self._precision, self._trial, self._images = config, precision, trial, images

    def export(self, model: Recognizer, directory: Path) -> tuple[ExportReport, PrecisionReport]:
        """Exports a network; files of an earlier export stay until this one has passed.

        Args:
            model: the trained network.
            directory: where the files go.

        Raises:
            RecallDropError: recall@1 falls by more than `Export.max_recall_drop`.
            ModelError: the network cannot be exported, or not with ONNX files.
            ExtraError: a package that it needs is not installed.
        """
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".precision-", dir=directory) as folder:
            staged = Path(folder)
            exported = build_exporter(self._config, model)(staged)
            report = self._lower(staged)
            _check_drop(report, self._config.Export.max_recall_drop)
            note_facts(staged, {"recalls": report.recalls, **report.change.to_json()})
            files = publish(staged, directory)
        return replace(exported, directory=directory, files=files), report

    def _lower(self, staged: Path) -> PrecisionReport:
        """Evaluates an export as fp32 and, once it is that, in the lower precision."""
        engine: str = self._config.Evaluate.engine
        if engine == "auto":  # the one that will run the result
            engine = next(iter(installed_onnx_engines(self._precision)), "onnxruntime")
        before = self._evaluate(staged, engine)
        lower_precision(staged, self._precision, self._images)
        after = self._evaluate(staged, engine)
        change = recall_change(before, after, np.random.default_rng(self._config.Global.seed))
        calibrated = 0 if self._images is None else len(self._images)
        return PrecisionReport(self._precision, engine, calibrated, change)

    def _evaluate(self, staged: Path, engine: str) -> RetrievalResult:
        """Runs the lists through an export as ``inference.yml`` says, by one engine."""
        section = self._config.Evaluate.model_copy(update={"engine": engine})
        config = self._config.model_copy(update={"Evaluate": section})
        return self._trial.run(build_export_embedder(config, staged), bootstrap=False).result


def build_lowering(config: Config) -> Lowering | None:
    """Reads what `Export.precision` needs, so that what is missing is told at once; None for fp32.

    Raises:
        ConfigError: other keys exclude it.
        DatasetError: gallery.txt or query.txt, or train.txt for int8, is not there.
    """
    precision = config.Export.precision
    if precision == "fp32":
        return None
    if config.Evaluate.engine == "paddle":
        raise ConfigError(
            f"Evaluate.engine is paddle, which runs fp32 only, and Export.precision {precision} is "
            "measured before it is published: set Evaluate.engine to auto, openvino or onnxruntime."
        )
    if config.Export.onnx is False:
        raise ConfigError(
            f"Export.onnx is false, and Export.precision {precision} is made from features.onnx: "
            "set Export.onnx to auto or true, or Export.precision to fp32."
        )
    # auto would leave the ONNX files out where they cannot be made; here that is an error.
    section = config.Export.model_copy(update={"onnx": True})
    config = config.model_copy(update={"Export": section})
    try:
        trial = build_trial(config)
        images = read_calibration_images(config) if precision == "int8" else None
    except DatasetError as error:
        raise DatasetError(
            f"Export.precision {precision} is measured beside fp32 on gallery and query, and int8 "
            f"is calibrated on train. {error} Or set Export.precision to fp32."
        ) from error
    return Lowering(config, precision, trial, images)


def _check_drop(report: PrecisionReport, allowed: float) -> None:
    """Compares the fall of recall@1 with `Export.max_recall_drop`, in points."""
    before, after = report.change.before["recall1"], report.change.after["recall1"]
    fall = 100 * (before - after)
    if fall > allowed + 1e-9:  # the last bit of a quotient must not decide
        raise RecallDropError(
            f"In {report.precision}, recall@1 falls from {before:.4f} to {after:.4f}: by "
            f"{fall:.2f} points, and Export.max_recall_drop allows {allowed:g}. Nothing was "
            f"written. With the engine {report.engine} {report.change.summary()}. Calibrate on "
            "more pictures (Export.calibration_images), export in fp16, or allow a larger drop."
        )
