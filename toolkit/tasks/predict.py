"""Mode predict: features of pictures, one JSON a picture, and all in one file on request."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.exported import exported_model
from toolkit.config.schema import Config
from toolkit.data.manifest import find_images
from toolkit.errors import ConfigError, DatasetError
from toolkit.inference.directory import open_predictor
from toolkit.inference.result import FeatureResult
from toolkit.inference.saving import AddRow, feature_files, open_features
from toolkit.progress import Progress, stopwatch

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
            lines.append(f"Pictures without one: {len(self.failures)}")
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
        exported_model(config, config.Predict.model_dir, engine=predict.engine),
        model_name=config.Global.model,
        device=config.Global.device,
        engine=predict.engine,
        batch_size=predict.batch_size,
        resize=predict.resize,
        decode=predict.decode,
    )
    _check_input(predict.input)
    written, failures = 0, list[str]()
    results = predictor.predict(predict.input)
    with (
        stopwatch() as watch,
        _collecting(config) as collect,
        Progress("predict", _count(predict.input)) as progress,
    ):
        # Results are used and forgotten: a run over any number of pictures needs the same memory.
        for result in results:
            if result.feature is None:
                failures.append(_failure(result))
            else:
                result.save_to_json(output)
                if collect is not None:
                    collect(result.feature, str(result.input_path))
                written += 1
            progress.advance()
    if not written and not failures:
        raise DatasetError(f"Predict.input {predict.input!r} holds no picture.")
    files = [] if predict.save is None else feature_files(output, predict.save)
    return PredictReport(predictor.model_name, written, failures, files, output, watch["seconds"])


def _collecting(config: Config) -> AbstractContextManager[AddRow | None]:
    """What happens to each feature beside its JSON file: it goes into the one file of all."""
    form = config.Predict.save
    return nullcontext() if form is None else open_features(Path(config.Global.output), form)


def _failure(result: FeatureResult) -> str:
    """Names the picture once, whether or not the reason does."""
    path, error = str(result.input_path), str(result.error)
    return error if path in error else f"{path}: {error}"


def _check_input(inputs: str | list[str]) -> None:
    """Refuses an input of which nothing is there; where a part of it is, the rest is reported.

    Raises:
        DatasetError: no file or folder of the input exists.
    """
    names = [inputs] if isinstance(inputs, str) else inputs
    if names and not any(
        name.startswith(("http://", "https://")) or Path(name).exists() for name in names
    ):
        more = f" (nor is any of the other {len(names) - 1})" if len(names) > 1 else ""
        raise DatasetError(f"Predict.input {names[0]!r}: there is no such file or folder{more}.")


def _count(inputs: str | list[str]) -> int:
    """How many pictures there will be, for the ETA."""
    names = [inputs] if isinstance(inputs, str) else inputs
    return sum(len(find_images(Path(name))) if Path(name).is_dir() else 1 for name in names)
