"""What a run of train or evaluate left in its output folder, read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.config.settings import flat_settings
from toolkit.config.yaml_core import parse_document
from toolkit.errors import ConfigError, RunError
from toolkit.evaluation.recorded_queries import RecordedQuery, read_queries
from toolkit.fingerprint import fingerprint_file
from toolkit.reports.run_rows import FILE_NAME, read_rows
from toolkit.storage import read_json

_TRAINED, _EVALUATED = "train_result.json", "evaluate_result.json"
_CONFIG, _QUERIES = "config.yaml", "evaluate/queries.csv"


@dataclass(frozen=True)
class RecordedRun:
    """One run.

    Attributes:
        folder: its output.
        name: what to call it.
        settings: its configuration, dotted key -> plain value.
        metrics: name -> value: of evaluate, else the best of the training.
        intervals: name -> (low, high) where there is one.
        facts: what else is known, name -> text.
        rows: of metrics.jsonl; empty for a run that was not trained here.
        queries: what it found for each query; None where nothing was evaluated.
        notes: what a reader of its numbers should know.
    """

    folder: Path
    name: str
    settings: dict[str, Any]
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    facts: dict[str, str]
    rows: list[dict[str, Any]]
    queries: list[RecordedQuery] | None
    notes: list[str]


def read_run(folder: Path, name: str) -> RecordedRun:
    """Reads what a run left.

    Args:
        folder: its output.
        name: what to call it.

    Raises:
        RunError: the folder is none of a run, the run is not finished, or it has no metrics.
    """
    trained, evaluated = _result(folder / _TRAINED), _result(folder / _EVALUATED)
    _check(folder, trained, evaluated)
    trained = trained if trained.get("done_flag") else {}
    evaluated = evaluated if evaluated.get("done_flag") else {}
    settings = _settings(folder / _CONFIG)
    metrics = evaluated.get("metrics") or trained.get("best_metrics") or {}
    if not metrics:
        raise RunError(
            f"{folder} has no metrics: the training evaluated nothing. Evaluate it first: "
            f"{evaluate_command(folder)}"
        )
    has_queries = bool(evaluated) and (folder / _QUERIES).is_file()
    return RecordedRun(
        folder,
        name,
        settings,
        {key: float(value) for key, value in metrics.items() if value is not None},
        {key: (low, high) for key, (low, high) in evaluated.get("intervals", {}).items()},
        _facts(folder, settings, trained, evaluated),
        read_rows(folder / FILE_NAME),
        read_queries(folder / _QUERIES, settings) if has_queries else None,
        _notes(folder, evaluated),
    )


def evaluate_command(folder: Path) -> str:
    """Returns what to type for the numbers of a run; its folder may have been moved since."""
    return f"python main.py -c {folder / _CONFIG} -o Global.mode=evaluate -o Global.output={folder}"


def run_names(folders: list[Path]) -> list[str]:
    """Names runs by what differs in their paths, from the right: ``a/x`` and ``b/x`` keep both."""
    parts = [folder.absolute().parts for folder in folders]
    for length in range(1, max(len(part) for part in parts) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{folder.name} ({number})" for number, folder in enumerate(folders, start=1)]


def _check(folder: Path, trained: Mapping[str, Any], evaluated: Mapping[str, Any]) -> None:
    """Makes sure that one of the two came to its end."""
    if trained.get("done_flag") or evaluated.get("done_flag"):
        return
    for mode, result in (("training", trained), ("evaluation", evaluated)):
        if result:
            reason = result.get("err_msg") or f"interrupted by {result.get('interrupted_by')}."
            raise RunError(
                f"{folder}: the {mode} did not come to its end: {reason} There is nothing to "
                "compare until it does."
            )
    if (folder / FILE_NAME).is_file():
        raise RunError(
            f"{folder} holds a training that is not finished: {FILE_NAME} is there and {_TRAINED} "
            "is not. Let it go on (-o Train.resume_path=auto), or evaluate its best model."
        )
    what = "is not there" if not folder.exists() else f"holds no {_TRAINED} and no {_EVALUATED}"
    raise RunError(f"{folder} {what}; Compare.runs takes output folders of train or evaluate.")


def _result(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = read_json(file)
    except ValueError as error:
        raise RunError(f"{file} is not JSON: {error}. Run that mode again.") from error
    return content if isinstance(content, dict) else {}


def _settings(file: Path) -> dict[str, Any]:
    try:
        document = parse_document(file.read_text(encoding="utf-8"), str(file)).data
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise RunError(f"{file} cannot be read: {error} A run's output has one.") from error
    return flat_settings(document) if isinstance(document, dict) else {}


def _facts(
    folder: Path,
    settings: Mapping[str, Any],
    trained: Mapping[str, Any],
    evaluated: Mapping[str, Any],
) -> dict[str, str]:
    facts = {"folder": str(folder), "model": str(settings.get("Global.model", ""))}
    if trained:
        seconds, images = trained["seconds"], trained["images"]
        facts["trained"] = f"{trained['steps']:,} steps, {images:,} pictures in {_span(seconds)}"
        best = trained["models"].get("best") or {}
        facts["best epoch"] = str(best.get("epoch", ""))
        if trained.get("skipped_count"):
            facts["pictures skipped"] = str(trained["skipped_count"])
    if evaluated:
        facts["evaluated"] = (
            f"{evaluated['queries']:,} queries against {evaluated['gallery']:,} gallery pictures"
        )
        facts["weights"] = str(evaluated["weights"])
        facts["fingerprint"] = str(evaluated["fingerprint"])[:12]
    return facts


def _notes(folder: Path, evaluated: Mapping[str, Any]) -> list[str]:
    """Says so when the numbers are of other weights than those that are there now."""
    weights = Path(evaluated.get("weights", ""))
    if not weights.is_file() or fingerprint_file(weights) == evaluated["fingerprint"]:
        return []
    return [
        f"{weights} changed after it was evaluated; the numbers of {folder} are of what it was."
    ]


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
