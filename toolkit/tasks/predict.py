"""Mode predict: features of pictures, one JSON a picture, and all in one file on request."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cards.catalog import find_card
from toolkit.config.schema import Config
from toolkit.data.manifest import find_images
from toolkit.errors import ConfigError, DatasetError
from toolkit.inference.directory import open_predictor
from toolkit.inference.official import model_folders, official_model
from toolkit.inference.result import FeatureResult
from toolkit.inference.saving import save_features
from toolkit.runtime import Progress, stopwatch

_NAMED = 10


@dataclass(frozen=True)
class PredictReport:
    """The outcome of a prediction.

    Attributes:
        model_name: what computed the features.
        written: pictures with a feature.
        failures: "path: reason" of the others.
        files: what was written for all pictures together.
        output: where the JSON files are.
        seconds: from the first picture to the last.
    """

    model_name: str
    written: int
    failures: list[str]
    files: list[Path]
    output: Path
    seconds: float

    @property
    def passed(self) -> bool:
        """Some bad pictures do not fail a run; a run without a single feature has failed."""
        return self.written > 0

    def to_json(self) -> dict[str, Any]:
        """Returns the counts, the failures and the files."""
        return {
            "model_name": self.model_name,
            "features": self.written,
            "failures": self.failures,
            "files": [str(file) for file in self.files],
            "seconds": round(self.seconds, 3),
        }

    def summary(self) -> str:
        """Returns the counts, the rate, and where the features are."""
        rate = self.written / max(self.seconds, 1e-9)
        lines = [
            f"Features of {self.written} pictures by {self.model_name} in {self.seconds:.1f} s "
            f"({rate:.1f} images/s)."
        ]
        if self.failures:
            lines.append(f"{len(self.failures)} pictures gave none:")
            lines += [f"  {failure}" for failure in self.failures[:_NAMED]]
            if len(self.failures) > _NAMED:
                lines.append("  ... all of them are in predict_result.json")
        lines.append(f"  {self.output}/<name>_res.json")
        return "\n".join([*lines, *(f"  {file}" for file in self.files)])


def run(config: Config) -> PredictReport:
    """Predicts every picture of ``Predict.input``.

    Raises:
        ConfigError: there is no input.
        ModelError: the model cannot be opened.
    """
    predict, output = config.Predict, Path(config.Global.output)
    if predict.input is None:
        raise ConfigError("Predict.input is null; give a picture, a folder, an address, or a list.")
    predictor = open_predictor(
        _directory(config),
        model_name=config.Global.model,
        device=config.Global.device,
        batch_size=predict.batch_size,
    )
    good: list[FeatureResult] = []
    failures: list[str] = []
    with stopwatch() as watch, Progress("predict", _count(predict.input)) as progress:
        for result in predictor.predict(predict.input):
            if result.get("error"):
                failures.append(f"{result['input_path']}: {result['error']}")
            else:
                result.save_to_json(output)
                good.append(result)
            progress.advance()
    if not good and not failures:
        raise DatasetError(f"Predict.input {predict.input!r} holds no picture.")
    files = _save(config, good)
    return PredictReport(predictor.model_name, len(good), failures, files, output, watch["seconds"])


def _count(inputs: str | list[str]) -> int:
    """How many pictures there will be, for the ETA."""
    names = [inputs] if isinstance(inputs, str) else inputs
    return sum(len(find_images(Path(name))) if Path(name).is_dir() else 1 for name in names)


def _directory(config: Config) -> Path:
    """The exported model: of this output folder, of a given one, or the official one."""
    given = config.Predict.model_dir
    if given is None:
        return official_model(find_card(config.Global.model), model_folders())
    return Path(config.Global.output) / "best_model" if given == "auto" else Path(given)


def _save(config: Config, results: list[FeatureResult]) -> list[Path]:
    if config.Predict.save is None or not results:
        return []
    vectors = np.stack([result["feature"] for result in results])
    paths = [str(result["input_path"]) for result in results]
    return save_features(Path(config.Global.output), config.Predict.save, vectors, paths)
